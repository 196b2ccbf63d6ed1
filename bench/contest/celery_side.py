"""Plain Celery with a Redis result backend, and its client.

A task is named ``KIND:POOL:HOW``: what to run, the queue of the pool that runs it, and whether
``delay`` is called on the event loop, which waits meanwhile, or in a thread.
"""

import asyncio
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import redis
import redis.asyncio
from bench.contest.harness import PRODUCERS, serve
from celery import Celery

_URL = os.environ["BENCH_REDIS_URL"]
_KEY = "celery-task-meta-"

app = Celery("bench", broker=_URL, backend=_URL)
app.conf.update(
    broker_connection_retry_on_startup=True,
    # With 1 the thread pool was fastest, with Celery's own 4 the processes; see `field`.
    worker_prefetch_multiplier=int(os.environ.get("BENCH_PREFETCH", "4")),
)
_client = redis.Redis.from_url(_URL)


@app.task(name="noop")
def noop() -> None:
    """Do nothing."""


@app.task(name="io")
def io() -> int:
    """Wait for 50 ms, as for another server, then count in Valkey."""
    time.sleep(0.05)
    return int(_client.incr("bench:celery"))


_TASKS: dict[str, Any] = {"noop": noop, "io": io}


class CelerySide:
    """See `Contestant`."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(PRODUCERS)
        self._looking = redis.asyncio.Redis.from_url(_URL)

    async def start(self) -> None:
        """See `Contestant.start`."""

    async def accept(self, task: str) -> str:
        """See `Contestant.accept`."""
        kind, pool, how = task.split(":")
        if how == "loop":
            return _order(kind, pool)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, _order, kind, pool)

    async def finished(self, ids: list[str]) -> set[str]:
        """See `Contestant.finished`."""
        found = await self._looking.mget([_KEY + task_id for task_id in ids])
        return {task_id for task_id, result in zip(ids, found, strict=True) if result}

    async def close(self) -> None:
        """See `Contestant.close`."""
        self._threads.shutdown()
        await self._looking.aclose()


def _order(kind: str, pool: str) -> str:
    return str(_TASKS[kind].apply_async(queue=pool).id)


if __name__ == "__main__":
    serve(CelerySide())
