"""WebSockets: who gets in, what they hear, and what a bad client can do: nothing."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus

from support.channels import Price, Remark
from support.live import Live, live_settings, running_live
from support.sockets import Talk, add_price_sockets, talking
from tasuki.realtime.channels import Publication
from tasuki.realtime.connections import SLOW, ConnectionManager

PATH = "/ws/prices/JPY"


@pytest.fixture
def is_plain() -> bool:
    """Whether the server knows ASGI and nothing of ours; a test may say so."""
    return False


@pytest.fixture
async def live(
    is_plain: bool, database_url: str, redis_url: str, tmp_path: Path
) -> AsyncGenerator[Live]:
    """An application with sockets of its own."""
    modules = ("support.jobs", "support.channels")
    settings = live_settings(database_url, redis_url, tmp_path, modules=modules)
    async with running_live(settings, is_plain=is_plain) as running:
        add_price_sockets(running)
        yield running


on_any_server = pytest.mark.parametrize("is_plain", [False, True], ids=["ours", "any ASGI server"])


@on_any_server
async def test_what_is_published_reaches_each_socket_in_order(live: Live) -> None:
    """Also the second tab of the same person."""
    client = await live.user("alice")
    async with talking(client, PATH) as one, talking(client, PATH) as two:
        await one.say({"n": 1})
        await two.say({"n": 2})
        answers = [await one.hear(), await two.hear()]
        for value in range(50):
            await live.tasuki.publish("prices:JPY", Price(value=value))
        heard = [[await talk.hear() for _ in range(50)] for talk in (one, two)]

    assert answers == [{"type": "echo", "user": "alice", "n": n} for n in (1, 2)]
    assert heard == [[{"type": "price", "value": value} for value in range(50)]] * 2


@on_any_server
async def test_the_close_code_says_why_one_is_not_let_in(live: Live) -> None:
    """A browser tells its page nothing but the code."""
    alice, nobody = await live.user("alice"), await live.client()
    codes = {}
    for name, client, path in (
        ("nobody", nobody, PATH),
        ("unknown", alice, "/ws/prices/none"),
        ("foreign", alice, "/ws/prices/theirs"),
    ):
        async with talking(client, path) as talk:
            codes[name] = await talk.closed()

    assert codes == {"nobody": 4401, "unknown": 4404, "foreign": 4403}


async def test_a_ticket_opens_one_socket_which_ends_with_its_session(live: Live) -> None:
    """For clients that can be given an address and nothing else."""
    alice, nobody = await live.user("alice"), await live.client()
    ticket = (await alice.post("/api/v1/auth/ticket")).json()["ticket"]
    path = f"{PATH}?ticket={ticket}"

    async with talking(nobody, path) as talk:
        await talk.say({"n": 1})
        assert (await talk.hear())["user"] == "alice"
        async with talking(alice, path) as second:  # only now: the first to ask takes it
            assert await second.closed() == 4401

        await alice.post("/api/v1/auth/logout")

        assert await talk.closed(within_s=2) == 4401


async def test_a_page_of_another_site_gets_no_socket(live: Live) -> None:
    """The browser adds the cookie, so the origin is checked before anything else."""
    alice = await live.user("alice")

    with pytest.raises(InvalidStatus) as refused:
        async with talking(alice, PATH, origin="https://evil.example"):
            pass
    async with talking(alice, PATH, origin=live.url) as talk:
        await talk.say({"n": 1})
        answer = await talk.hear()

    assert refused.value.response.status_code == 403
    assert answer["n"] == 1


BAD = ["", "no json", "[1]", "null", b'{"n": 1}', "[" * 30_000, '{"n":' + "9" * 5_000 + "}"]


@on_any_server
async def test_a_bad_message_is_answered_and_the_socket_stays(live: Live) -> None:
    """One mistake of a client does not cost it its connection."""
    client = await live.user("alice")
    async with talking(client, PATH) as talk:
        await talk.say(*BAD, {"bad": 1}, {"n": 1})
        answers = [await talk.hear() for _ in range(len(BAD) + 2)]

    assert {one.get("code") for one in answers[:-1]} == {"validation_failed"}
    assert answers[-1] == {"type": "echo", "user": "alice", "n": 1}


async def test_too_large_a_message_closes_the_socket(live: Live) -> None:
    """With the code of RFC 6455."""
    client = await live.user("alice")
    async with talking(client, PATH) as talk:
        await talk.say({"n": "x" * 65_536})
        assert await talk.closed() == 1009


@on_any_server
async def test_a_flood_is_slowed_and_then_cut_off(live: Live) -> None:
    """And the others hear nothing of it."""
    alice, bob = await live.user("alice"), await live.user("bob")
    async with talking(bob, PATH) as calm, talking(alice, PATH) as wild:
        await wild.say(*[{"n": n} for n in range(200)])
        refused = await wild.hear_until("error")
        code = await wild.closed()
        await calm.say({"n": 1})
        answer = await calm.hear()

    assert refused["code"] == "rate_limited"
    assert code == 3013
    assert answer["n"] == 1


@on_any_server
async def test_signing_out_closes_the_sockets_of_that_session_only(live: Live) -> None:
    """Within two seconds; the other browser of the same person stays."""
    user_id = await live.add_user("alice")
    here, there = await live.browser(user_id), await live.browser(user_id)
    async with talking(here, PATH) as ended, talking(there, PATH) as stays:
        await ended.say({"n": 1})
        await ended.hear()

        assert (await here.post("/api/v1/auth/logout")).status_code == 204

        assert await ended.closed(within_s=2) == 4401
        await stays.say({"n": 2})
        assert (await stays.hear())["n"] == 2


async def test_the_twenty_first_socket_of_a_person_is_refused(live: Live) -> None:
    """So that nobody takes all there are."""
    client = await live.user("alice")
    async with AsyncExitStack() as sockets:
        for _ in range(20):
            talk = await sockets.enter_async_context(talking(client, PATH))
            await talk.say({"n": 1})
            await talk.hear()
        async with talking(client, PATH) as one_more:
            assert await one_more.closed() == 4429


async def test_a_process_tells_its_own_clients_without_a_channel(live: Live) -> None:
    """A person's, a channel's, or all of them; nobody elsewhere, and nothing is kept."""
    alice, bob = await live.user("alice"), await live.user("bob")
    manager = live.tasuki.services.get(ConnectionManager)
    alice_id = (await alice.get("/api/v1/auth/me")).json()["id"]

    def said(text: str) -> Publication:
        return Publication("", "remark", f'{{"text":"{text}"}}', "")

    async with talking(alice, PATH) as hers, talking(bob, "/ws/prices/EUR") as his:
        for talk in (hers, his):
            await talk.say({"n": 1})
            await talk.hear()
        manager.send_personal(alice_id, said("for alice"))
        manager.send_room("prices:EUR", said("of the euro"))
        manager.broadcast(said("for all"))
        heard = [[(await talk.hear())["text"] for _ in range(2)] for talk in (hers, his)]

    assert heard == [["for alice", "for all"], ["of the euro", "for all"]]


@on_any_server
async def test_a_server_that_stops_sends_its_clients_away(live: Live) -> None:
    """With the code for a restart, so that they come back at once."""
    client = await live.user("alice")
    async with talking(client, PATH) as talk:
        await talk.say({"n": 1})
        await talk.hear()
        await live.tasuki.stop_streams()
        assert await talk.closed() == 1012
        async with talking(client, PATH) as late:
            assert await late.closed() == 1013


async def test_a_client_that_does_not_read_is_cut_off_and_delays_nobody(live: Live) -> None:
    """What waits for it is bounded; the others hear everything meanwhile."""
    alice, bob = await live.user("alice"), await live.user("bob")
    manager = live.tasuki.services.get(ConnectionManager)
    values, filling = 200, "x" * 16_000
    async with talking(alice, PATH) as stalled, talking(bob, PATH) as reader:
        for talk in (stalled, reader):
            await talk.say({"n": 1})
            await talk.hear()
        stalled.socket.transport.pause_reading()
        reading = asyncio.create_task(_hear_remarks(reader, values))
        for number in range(values):
            await live.tasuki.publish("prices:JPY", Remark(text=f"{number} {filling}"))
        heard = await reading
        async with asyncio.timeout(15):
            while len(manager.all) > 1:
                await asyncio.sleep(0.05)
        stalled.socket.transport.abort()  # it would wait for a farewell that it does not read

    assert heard == list(range(values))
    assert manager.hub.counts.ended[SLOW] == 1


async def _hear_remarks(talk: Talk, count: int) -> list[int]:
    return [int((await talk.hear())["text"].split()[0]) for _ in range(count)]
