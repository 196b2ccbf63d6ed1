"""A server that stops while clients are only coming."""

import asyncio
from signal import SIGCONT, SIGSTOP

from support.brokers import Valkey
from support.following import Events, following
from support.live import Live
from support.waiting import until
from tasuki.realtime.connections import ConnectionManager

_URL = "/api/v1/events/stream"


async def test_who_is_sent_away_before_it_begins_is_not_moved_past_what_it_lost(
    live: Live, valkey: Valkey
) -> None:
    """Cut off right after a place ahead of what it was told, it would never hear of the loss."""
    client = await live.user("alice")
    manager = live.tasuki.services.get(ConnectionManager)
    known, slow = "proof:known", "proof:slow"
    async with following(client, known, slow) as events:
        await events.frame()
    await until(lambda: not manager.all, within=10)
    valkey.forget()
    async with following(client, known) as other:
        await other.frame()  # so that one of the channels has a place here already
        valkey.signal(SIGSTOP)
        coming = asyncio.create_task(_first_frame(live, client.cookies["tasuki_session"], events))
        await until(lambda: len(manager.all) == 2, within=10)
        await live.tasuki.stop_streams()
        manager.beat()
        valkey.signal(SIGCONT)
        first = await coming

    assert first["id"] == events.last_id


async def _first_frame(live: Live, session: str, before: Events) -> dict[str, str]:
    client = await live.client()
    client.cookies.set("tasuki_session", session)
    query = {"channel": ["proof:known", "proof:slow"]}
    headers = {"Last-Event-ID": before.last_id}
    async with client.stream("GET", _URL, params=query, headers=headers) as answer:
        return await Events(answer).frame()
