"""What an admin sees of connections, over all web processes, and how they end one."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from support.client import Client
from support.live import Live, live_settings, running_live
from support.sockets import add_price_sockets, talking

URL = "/api/v1/admin/realtime"


@pytest.fixture
async def two(
    database_url: str, redis_url: str, tmp_path: Path
) -> AsyncGenerator[tuple[Live, Live]]:
    """Two web processes of one system."""
    modules = ("support.jobs", "support.channels")
    settings = live_settings(database_url, redis_url, tmp_path, modules=modules)
    async with running_live(settings) as one, running_live(settings) as other:
        for live in (one, other):
            add_price_sockets(live)
        yield one, other


async def seen(admin: Client, **filters: str) -> dict[str, Any]:
    """Return what an admin is shown."""
    answer = await admin.get(URL, params=filters)
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


async def elsewhere(client: Client, live: Live) -> Client:
    """Return the same browser, at another web process."""
    other = await live.client()
    other.cookies.update(client.cookies)
    return other


async def test_an_admin_sees_the_connections_of_all_web_processes(two: tuple[Live, Live]) -> None:
    """Which user, by what, for how long, to which channels; found by user and by channel."""
    one, other = two
    admin = await one.user("ada", role="admin")
    bob = await one.user("bob")
    async with AsyncExitStack() as stack:
        for client, path in (
            (bob, "/ws/prices/JPY"),
            (await elsewhere(bob, other), "/ws/prices/JPY"),
            (await elsewhere(admin, other), "/ws/prices/EUR"),
        ):
            talk = await stack.enter_async_context(talking(client, path))
            await talk.say({"n": 1})
            await talk.hear()
        everything = await seen(admin)
        of_bob = await seen(admin, username="bob")
        of_euro = await seen(admin, channel="prices:EUR")

    assert sorted(node["connections"] for node in everything["nodes"]) == [1, 2]
    assert everything["channels"] == [
        {"channel": "prices:JPY", "connections": 2},
        {"channel": "prices:EUR", "connections": 1},
    ]
    assert len(everything["connections"]) == 3
    assert [one["username"] for one in of_bob["connections"]] == ["bob", "bob"]
    [euro] = of_euro["connections"]
    assert (euro["username"], euro["kind"], euro["channels"], euro["address"]) == (
        "ada",
        "websocket",
        ["prices:EUR"],
        "127.0.0.1",
    )


async def test_an_admin_ends_a_connection_of_another_process(two: tuple[Live, Live]) -> None:
    """Its client is told not to come back by itself, and the deed is written down."""
    one, other = two
    admin = await one.user("ada", role="admin")
    bob = await elsewhere(await one.user("bob"), other)
    async with talking(bob, "/ws/prices/JPY") as talk:
        await talk.say({"n": 1})
        await talk.hear()
        [connection] = (await seen(admin))["connections"]
        number = connection["id"].partition(".")[2]
        of_all = await admin.delete(f"{URL}/connections/all.{number}")

        ended = await admin.delete(f"{URL}/connections/{connection['id']}")
        code = await talk.closed(within_s=2)
        again = await admin.delete(f"{URL}/connections/{connection['id']}")

    assert of_all.status_code == 404  # each process has a connection of this number
    assert (ended.status_code, code, again.status_code) == (204, 3503, 404)
    async with one.database.driver() as database:
        deeds = await database.fetch("SELECT kind, data FROM activity WHERE kind LIKE 'admin.%'")
    assert [deed["kind"] for deed in deeds] == ["admin.connection.end"]


@pytest.mark.parametrize(
    "connection_id", ["x", "x.1", "x.y", ".1", "a b.1", "é.1", "x." + "9" * 99]
)
async def test_no_such_connection_is_not_found(live: Live, connection_id: str) -> None:
    """Whatever an admin types."""
    admin = await live.user("ada", role="admin")

    answer = await admin.delete(f"{URL}/connections/{connection_id}")

    assert answer.status_code == 404


async def test_everybody_asks_at_once_and_gets_their_own_answer(two: tuple[Live, Live]) -> None:
    """Questions do not mix."""
    one, other = two
    here = await one.user("ada", role="admin")
    there = await elsewhere(here, other)

    shown = await asyncio.gather(*(seen(client) for client in (here, there) * 5))

    assert [len(answer["nodes"]) for answer in shown] == [2] * 10
