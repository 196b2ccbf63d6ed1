"""Connections to the database that break at every moment of their life."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from sqlalchemy import text

from tasuki.core.database import Database
from tasuki.core.errors import Unavailable

_LONGEST = 60
"""More pieces than a connection needs to be made ready and to run one statement."""


@asynccontextmanager
async def cut_after(pieces: int, database_url: str) -> AsyncGenerator[str]:
    """Stand before the database, and cut each connection after so many answers of it."""
    target = urlsplit(database_url)

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection(target.hostname, target.port)

        async def upwards() -> None:
            while data := await reader.read(65_536):
                inner_writer.write(data)

        rising = asyncio.create_task(upwards())
        with contextlib.suppress(OSError):
            for _ in range(pieces):
                if not (data := await inner_reader.read(65_536)):
                    break
                writer.write(data)
                await writer.drain()
        rising.cancel()
        await asyncio.gather(rising, return_exceptions=True)
        for end in (writer, inner_writer):
            end.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield database_url.replace(f":{target.port}/", f":{port}/")
    finally:
        server.close()


async def test_however_far_a_connection_got_its_loss_is_said_in_one_way(
    database_url: str,
) -> None:
    """Also while it is made ready: a caller must not be told that the fault is ours."""
    answers: list[object] = []
    while 1 not in answers:
        async with cut_after(len(answers), database_url) as url:
            database = Database(url, pool_size=1, name="tests")
            try:
                answers.append((await database.run(text("SELECT 1 AS one"), {}))[0]["one"])
            except Unavailable:
                answers.append("unavailable")
            finally:
                await database.close()
        assert len(answers) < _LONGEST

    assert len(answers) > 5


async def test_a_connection_lost_before_it_is_ready_is_said_in_the_same_way(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver tells of it in words of its own: it notices between two questions."""
    connect = asyncpg.connect

    async def connect_and_lose(*args: Any, **options: Any) -> Any:
        connection = await connect(*args, **options)
        connection.terminate()
        return connection

    monkeypatch.setattr(asyncpg, "connect", connect_and_lose)
    database = Database(database_url, pool_size=1, name="tests")

    with pytest.raises(Unavailable):
        await database.run(text("SELECT 1"), {})
    with pytest.raises(Unavailable):
        async with database.unit_of_work() as session:
            await session.execute(text("SELECT 1"))

    await database.close()
