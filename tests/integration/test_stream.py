"""Channels over HTTP: Server-Sent Events and JSON Lines, resumable in all channels at once."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import redis.asyncio as redis
from pydantic import BaseModel

from support.channels import VERDICTS, Price, Remark
from support.following import Events, following
from support.live import Live, live_settings, running_live
from support.waiting import until, wait_until
from tasuki.core.notices import Notices
from tasuki.realtime.connections import ConnectionManager
from tasuki.realtime.hub import KEEP_PLACE_EVERY_S, Hub
from tasuki.realtime.stream import StreamConnection


@pytest.fixture
def is_plain() -> bool:
    """Whether the server knows ASGI and nothing of ours; a test may say so."""
    return False


@pytest.fixture
async def live(
    is_plain: bool, database_url: str, redis_url: str, tmp_path: Path
) -> AsyncGenerator[Live]:
    """An application with channels of its own."""
    modules = ("support.jobs", "support.channels")
    settings = live_settings(database_url, redis_url, tmp_path, modules=modules)
    async with running_live(settings, is_plain=is_plain) as running:
        yield running


on_any_server = pytest.mark.parametrize("is_plain", [False, True], ids=["ours", "any ASGI server"])


async def publish(live: Live, channel: str, *values: int) -> None:
    """Publish prices one after the other."""
    for value in values:
        await live.tasuki.publish(channel, Price(value=value))


async def test_two_channels_are_resumed_by_the_one_id_a_browser_keeps(live: Live) -> None:
    """Whatever was published while nobody was there comes in its order, and nothing twice."""
    client = await live.user("alice")
    async with following(client, "prices:b", "prices:a") as events:
        first = await events.frame()
        assert set(first) == {"id", "retry"}  # a place to come back to, before any event
        await publish(live, "prices:a", 1)
        await publish(live, "prices:b", 10)
        seen = [(await events.event())[1] for _ in range(2)]

    await publish(live, "prices:a", 2, 3)
    await publish(live, "prices:b", 20)

    async with following(client, "prices:a", "prices:b", last_id=events.last_id) as events:
        seen += [(await events.event())[1] for _ in range(3)]
        await publish(live, "prices:a", 4)
        seen.append((await events.event())[1])
    by_channel = {
        name: [(one["offset"], one["data"]["value"]) for one in seen if one["channel"] == name]
        for name in ("prices:a", "prices:b")
    }
    assert by_channel == {
        "prices:a": [(1, 1), (2, 2), (3, 3), (4, 4)],
        "prices:b": [(1, 10), (2, 20)],
    }


async def test_requests_sent_behind_a_stream_do_not_touch_it(live: Live) -> None:
    """A client that sends several at once hears a whole stream, and is forgotten as it leaves."""
    client = await live.user("alice")
    asked = client.build_request("GET", "/api/v1/events/stream?channel=prices:a")
    cookie = asked.headers["cookie"]
    stream, other = (
        f"GET {path} HTTP/1.1\r\nHost: {asked.url.netloc.decode()}\r\nCookie: {cookie}\r\n\r\n"
        for path in ("/api/v1/events/stream?channel=prices:a", "/api/v1/auth/me")
    )
    reader, writer = await asyncio.open_connection(asked.url.host, asked.url.port)
    writer.write((stream + other).encode())
    async with asyncio.timeout(10):
        await reader.readuntil(b"\r\n\r\n")
        place = await read_chunk(reader)
        await publish(live, "prices:a", 1)
        event = await read_chunk(reader)
    manager = live.tasuki.services.get(ConnectionManager)
    assert len(manager.all) == 1
    writer.transport.abort()
    await until(lambda: not manager.all, within=5, what="the stream's end")

    assert place.startswith(b"retry: ")
    assert b'"value":1' in event


async def read_chunk(reader: asyncio.StreamReader) -> bytes:
    """Return one chunk of a body (RFC 9112, 7.1)."""
    size = int(await reader.readuntil(b"\r\n"), 16)
    return (await reader.readexactly(size + 2))[:-2]


async def test_what_the_history_no_longer_has_is_said_and_not_skipped(live: Live) -> None:
    """All or nothing: never a hole that nobody notices."""
    client = await live.user("alice")
    async with following(client, "short:a") as events:
        await events.frame()
    await publish(live, "short:a", 1, 2, 3)

    before = events.last_id
    async with following(client, "short:a", last_id=before) as events:
        first = await events.frame()
        told = await events.event()
        await publish(live, "short:a", 4)
        goes_on = await events.event()

    assert first["id"] == before  # who is cut off between the two must be told again
    assert told == ("reset", {"channels": ["short:a"]})
    assert goes_on[1]["data"] == {"value": 4}


@pytest.mark.parametrize("last_id", ["v1;nonsense.7", "v1;a.1;b.2", "\x01", "v9;x.1", "x" * 5000])
async def test_a_hostile_position_is_no_position(live: Live, last_id: str) -> None:
    """`Last-Event-ID` is whatever a client sends; who was somewhere else must load anew."""
    client = await live.user("alice")
    url, query = "/api/v1/events/stream", {"channel": "prices:a", "last_event_id": last_id}

    async with client.stream("GET", url, params=query) as answer:
        assert answer.status_code == 200
        events = Events(answer)
        frame, told = await events.frame(), await events.event()

    assert "id" in frame
    assert told == ("reset", {"channels": ["prices:a"]})


@on_any_server
async def test_a_silent_channel_keeps_its_place_while_somebody_listens(
    live: Live, redis_url: str
) -> None:
    """By silence nothing is lost; told so, all would load everything anew at the first word."""
    client = await live.user("alice")
    place, hub = "tasuki:rt:meta:prices:a", live.tasuki.services.get(Hub)
    async with redis.from_url(redis_url) as server, following(client, "prices:a") as events:
        await events.frame()
        await server.pexpire(place, 3_000)  # as after almost ten minutes

        async def is_kept() -> bool:
            return bool(await server.pttl(place) > KEEP_PLACE_EVERY_S * 1_000)

        assert not await is_kept()
        for turn in range(48):
            hub.look(turn)
        await wait_until(is_kept, within=5)
        await publish(live, "prices:a", 1)
        assert (await events.event())[0] == "price"


async def test_a_slow_client_that_is_sent_away_comes_back_to_where_it_was(live: Live) -> None:
    """The last place it is told stands behind all that waited for it, and not ahead."""
    client, count, filling = await live.user("alice"), 90, "x" * 16_000
    async with following(client, "prices:a") as events:
        await events.frame()
        for number in range(count):  # more than the kernel takes, less than cuts it off
            await live.tasuki.publish("prices:a", Remark(text=f"{number} {filling}"))
        await live.tasuki.stop_streams()
        await live.tasuki.publish("prices:a", Remark(text=f"{count} {filling}"))
        frames = [frame async for frame in events.frames()]

    offsets = [json.loads(frame["data"])["offset"] for frame in frames if "data" in frame]
    assert offsets == list(range(1, len(offsets) + 1))
    assert int(frames[-1]["id"].rpartition(".")[2]) == offsets[-1] >= count


async def test_a_server_that_stops_has_browsers_come_back_to_where_they_were(live: Live) -> None:
    """An EventSource that gets any status but 200 never asks again (WHATWG HTML, 9.2.3)."""
    client = await live.user("alice")
    async with following(client, "prices:a") as events:
        await events.frame()
    await live.tasuki.stop_streams()

    async with following(client, "prices:a", last_id=events.last_id) as put_off:
        frames = [frame async for frame in put_off.frames()]
    program = await client.get(
        "/api/v1/events/stream?channel=prices:a", headers={"Accept": "application/jsonl"}
    )

    assert [set(frame) for frame in frames] == [{"id", "retry"}]
    assert frames[0]["id"] == events.last_id
    assert program.status_code == 503


@on_any_server
async def test_a_silent_stream_is_heard_from_and_an_old_one_ends_at_its_place(live: Live) -> None:
    """Proxies close what says nothing; and now and then a request must prove anew who calls."""
    client = await live.user("alice")
    async with following(client, "prices:a") as events:
        await events.frame()
        await publish(live, "prices:a", 1)
        told = await events.frame()
        (stream,) = live.tasuki.services.get(ConnectionManager).all
        assert isinstance(stream, StreamConnection)
        stream.beat()
        heartbeat = await events.frame()
        stream.rotate_at = 0.0
        stream.beat()
        rest = [frame async for frame in events.frames()]
    async with following(client, "prices:a", last_id=rest[-1]["id"]) as later:
        await publish(live, "prices:a", 2)
        kind, more = await later.event()

    assert [heartbeat, *rest] == [{"id": told["id"]}] * 2  # no data: no handler fires
    assert (kind, more["offset"]) == ("price", 2)


async def test_json_lines_are_the_same_events(live: Live) -> None:
    """For programs that have no parser of Server-Sent Events."""
    client = await live.user("alice")
    url, accept = "/api/v1/events/stream?channel=prices:a", {"Accept": "application/jsonl"}
    async with client.stream("GET", url, headers=accept) as answer:
        lines = answer.aiter_lines()
        first = json.loads(await anext(lines))
        await publish(live, "prices:a", 7)
        second = json.loads(await anext(lines))

    assert answer.headers["content-type"] == "application/jsonl"
    assert set(first) == {"id", "retry_ms"}
    assert (second["event"], second["data"]["data"]) == ("price", {"value": 7})


async def test_the_events_of_a_task_are_a_channel_like_any_other(live: Live) -> None:
    """Its offsets are those of the task's own stream, and its history is the table."""
    client = await live.user("alice", scopes=("task:test.echo",))
    task_id = await client.order("test.echo", text="hi")

    async with following(client, f"task:{task_id}") as events:
        await events.frame()
        await live.work()
        seen = [await events.event() for _ in range(2)]

    assert [kind for kind, _ in seen] == ["started", "succeeded"]
    assert [told["offset"] for _, told in seen] == [2, 3]


async def test_operators_see_who_is_connected_and_what_was_recovered(live: Live) -> None:
    """Lost and found again, or lost for good: a client that reloads does not tell them."""
    client = await live.user("alice", role="admin")
    async with following(client, "short:a") as events:
        await events.frame()
        await publish(live, "short:a", 1)
        await events.event()
    await publish(live, "short:a", 2)
    async with following(client, "short:a", last_id=events.last_id) as recovered:
        await recovered.event()
        await publish(live, "short:a", 3, 4, 5)
        async with following(client, "short:a", last_id="v1;other.1") as lost:
            await lost.event()
            told = (await client.get("/metrics")).text

    for line in (
        'tasuki_process_connections{kind="sse"} 2.0',
        'tasuki_process_connections_ended_total{reason="left"} 1.0',
        'tasuki_process_recoveries_total{result="recovered"} 1.0',
        'tasuki_process_recoveries_total{result="reset"} 1.0',
        "tasuki_process_channels 1.0",
        "tasuki_process_outbox_bytes 0.0",
    ):
        assert line in told.splitlines()
    assert re.search(r"^tasuki_process_broker_lag_seconds \d", told, re.MULTILINE)


async def test_foreign_and_unknown_channels_look_alike(live: Live) -> None:
    """Nobody learns what there is; and too many at once are refused with the reason."""
    owner = await live.user("alice", scopes=("task:test.echo",))
    other = await live.user("bob")
    task_id = await owner.order("test.echo", text="hi")

    answers = {
        channel: await other.get("/api/v1/events/stream", params={"channel": channel})
        for channel in (f"task:{task_id}", "task:1", "secret:a", "none:a", "prices", "a b", "")
    }
    many = {"channel": [f"prices:{number}" for number in range(17)]}
    too_many = await other.get("/api/v1/events/stream", params=many)

    assert {answer.status_code for answer in answers.values()} == {404}
    assert too_many.status_code == 422
    assert "at most 16" in too_many.text


async def test_signing_out_ends_an_open_stream(live: Live) -> None:
    """A session that ended hears nothing more, within two seconds."""
    client = await live.user("alice")
    async with following(client, "prices:a") as events:
        await events.frame()

        assert (await client.post("/api/v1/auth/logout")).status_code == 204

        async with asyncio.timeout(2):
            await events.until_over()


async def test_a_rule_that_breaks_keeps_nobody_from_being_asked_about(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many are asked about at once, and who lost their right must go all the same."""
    client = await live.user("alice")
    keys = [*map(str, range(16)), "withdrawn"]
    async with AsyncExitStack() as stack:
        streams = {
            key: await stack.enter_async_context(following(client, f"moody:{key}")) for key in keys
        }
        for events in streams.values():
            await events.frame()
        for key in keys:
            monkeypatch.setitem(VERDICTS, key, KeyError("a bug in a rule"))
        monkeypatch.setitem(VERDICTS, "withdrawn", False)

        live.tasuki.services.get(Notices).send(*(f"rights:moody:{key}" for key in keys))

        async with asyncio.timeout(2):
            await streams["withdrawn"].until_over()


async def test_a_published_event_must_be_one_of_the_channels(live: Live) -> None:
    """A reader never gets what the namespace does not declare."""

    class Other(BaseModel):
        value: int

    with pytest.raises(TypeError, match="no event"):
        await live.tasuki.publish("prices:a", Other(value=1))


async def test_what_a_transaction_publishes_reaches_a_stream(live: Live) -> None:
    """From an endpoint with a transaction of its own, by way of the table and the relay."""
    client = await live.user("alice")
    async with following(client, "prices:a") as events:
        await events.frame()
        async with live.database.unit_of_work() as session:
            await live.tasuki.publish_in(session, "prices:a", Price(value=9))
        told = await events.event()

    assert told[1]["data"] == {"value": 9}


async def test_one_person_cannot_take_all_connections(live: Live) -> None:
    """The twenty-first is refused as a problem that says when to try again."""
    client = await live.user("alice")
    async with AsyncExitStack() as open_streams:
        for _ in range(20):
            await open_streams.enter_async_context(following(client, "prices:a"))

        refused = await client.get("/api/v1/events/stream?channel=prices:a")

    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert refused.headers["retry-after"] == "5"
