"""taskiq on Redis streams with its Redis result backend, and its client."""

import asyncio
import os
from typing import Any

import redis.asyncio as redis
from bench.contest.harness import serve
from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker

_URL = os.environ["BENCH_REDIS_URL"]

broker = RedisStreamBroker(_URL, queue_name="bench:taskiq").with_result_backend(
    RedisAsyncResultBackend(_URL)
)
_client = redis.Redis.from_url(_URL)


@broker.task(task_name="noop")
async def noop() -> None:
    """Do nothing."""


@broker.task(task_name="io")
async def io() -> int:
    """Wait for 50 ms, as for another server, then count in Valkey."""
    await asyncio.sleep(0.05)
    return int(await _client.incr("bench:taskiq"))


_TASKS: dict[str, Any] = {"noop": noop, "io": io}


class TaskiqSide:
    """See `Contestant`."""

    async def start(self) -> None:
        """See `Contestant.start`."""
        await broker.startup()

    async def accept(self, task: str) -> str:
        """See `Contestant.accept`."""
        return str((await _TASKS[task].kiq()).task_id)

    async def finished(self, ids: list[str]) -> set[str]:
        """See `Contestant.finished`."""
        found = await _client.mget(ids)
        return {task_id for task_id, result in zip(ids, found, strict=True) if result}

    async def close(self) -> None:
        """See `Contestant.close`."""
        await broker.shutdown()
        await _client.aclose()


if __name__ == "__main__":
    serve(TaskiqSide())
