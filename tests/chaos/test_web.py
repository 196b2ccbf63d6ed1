"""The web process is killed around the commit of an order."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import httpx

from chaos.house import LONG_S, House, end_locked, signed_in, until_locked


@asynccontextmanager
async def killing_app(house: House) -> AsyncGenerator[str]:
    """Run `chaos.killing_app` and return its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        process = subprocess.Popen(  # noqa: ASYNC220  # starting it takes no time
            [sys.executable, "-m", "chaos.killing_app", str(listener.fileno())],
            env=house.system.environment,
            pass_fds=[listener.fileno()],
            cwd=house.folder,
        )
        port = listener.getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/order"
    finally:
        process.kill()
        await asyncio.to_thread(process.wait, 10)


async def order(house: House, url: str, args: dict[str, Any], *, die: str) -> str | None:
    """Order as a client that retries would: under one key."""
    async with httpx.AsyncClient(timeout=LONG_S) as client:
        try:
            answer = await client.post(
                url, json=args, params={"die": die}, headers={"Idempotency-Key": args["key"]}
            )
        except httpx.TransportError:
            house.attempts.write(key=args["key"], outcome="unknown")
            return None
    assert answer.status_code == 202, answer.text
    house.attempts.write(key=args["key"], outcome="ok", id=answer.json()["id"])
    return str(answer.json()["id"])


async def test_a_kill_around_the_commit_leaves_no_task_or_exactly_one(house: House) -> None:
    """The client does not know what happened; asking again under the same key is safe."""
    await house.worker()
    early, late = house.arguments(), house.arguments()
    async with killing_app(house) as url:
        assert await order(house, url, early, die="before") is None
    assert await house.tasks() == []
    async with killing_app(house) as url:
        assert await order(house, url, late, die="after") is None
    (made,) = await house.tasks()

    async with killing_app(house) as url:
        first = await order(house, url, early, die="never")
        second = await order(house, url, late, die="never")

    assert second == made.id
    assert first != second
    verdict = await house.verdict()
    assert verdict.is_good, verdict
    assert (len(await house.tasks()), verdict.starts) == (2, 2)


async def test_a_kill_in_the_middle_of_an_insert_leaves_nothing(house: House) -> None:
    """Our own web process, stopped by a lock in the very statement that makes the task."""
    web = (await house.start("web", "io"))["web"]
    args = house.arguments()
    locking = await asyncpg.connect(house.database_url)
    async with signed_in(house) as client:
        async with locking.transaction():
            await locking.execute("LOCK TABLE tasks IN EXCLUSIVE MODE")
            ordering = house.own(_order(house, client, args))
            await until_locked(house.database_url, sessions=1)
            house.kill(web, "in mid-INSERT")
            await asyncio.wait_for(ordering, LONG_S)
            # PostgreSQL notices a dead client only when it next talks to it.
            await end_locked(house.database_url)
        assert await house.tasks() == []

        await house.web()
        assert await house.order_by_http(client, "chaos.work", args) is not None
    await locking.close()
    verdict = await house.verdict()
    assert verdict.is_good, verdict
    assert verdict.starts == 1


async def _order(house: House, client: Any, args: dict[str, Any]) -> None:
    assert await house.order_by_http(client, "chaos.work", args) is None
