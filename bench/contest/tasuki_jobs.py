"""What Tasuki runs in the contest; loaded by its worker."""

import asyncio
import os

import redis.asyncio as redis

from tasuki import TaskContext, task

_clients: dict[str, redis.Redis] = {}


@task("bench.noop")
async def noop(_ctx: TaskContext) -> None:
    """Do nothing."""


@task("bench.io")
async def io(_ctx: TaskContext) -> int:
    """Wait for 50 ms, as for another server, then count in Valkey."""
    await asyncio.sleep(0.05)
    url = os.environ["BENCH_REDIS_URL"]
    client = _clients.setdefault(url, redis.Redis.from_url(url))
    return int(await client.incr("bench:tasuki"))
