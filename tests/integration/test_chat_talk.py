"""Talking in rooms by sockets, through two web processes on one database."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
import pytest_asyncio

from support.following import following
from support.rooms import Person, Town, running_town
from support.servers import Servers
from support.sockets import Talk

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Town]:
    """Two web processes for all tests of this module."""
    async with running_town(servers, tmp_path_factory.mktemp("town")) as running:
        yield running


def chat(text: str, **more: Any) -> dict[str, Any]:
    """Return what a client sends to say something."""
    return {"type": "chat", "message": text, **more}


async def said(talk: Talk, text: str, **more: Any) -> dict[str, Any]:
    """Say something, and return how it comes back."""
    await talk.say(chat(text, **more))
    return await talk.hear_until("chat")


async def test_everybody_in_a_room_hears_what_is_said_in_any_web_process(town: Town) -> None:
    """With exactly the fields that are promised; who said it is told by the server."""
    alice, bob, room = await town.person("alice"), await town.person("bob"), town.room()
    async with alice.talk(room) as hers, bob.talk(room, there=True) as his:
        told = await said(hers, "hello ☕", nonce="1")
        heard = await his.hear_until("chat")
        answer = await said(his, "hi")

    assert told == heard
    assert set(told) == {
        "type",
        "id",
        "seq",
        "user",
        "user_id",
        "message",
        "timestamp",
        "room",
    } | {"nonce"}
    assert (told["user"], told["user_id"], told["message"]) == (alice.name, alice.id, "hello ☕")
    assert (told["seq"], told["room"], told["nonce"]) == (1, room, "1")
    assert (answer["seq"], answer["user"], "nonce" in answer) == (2, bob.name, False)
    assert [one["message"] for one in (await alice.messages(room))["items"]] == ["hi", "hello ☕"]


async def test_the_first_who_comes_to_an_unknown_name_makes_a_public_room(town: Town) -> None:
    """As in the guide; it is theirs, and anybody may come."""
    alice, bob, room = await town.person("alice"), await town.person("bob"), town.room()
    async with alice.talk(room), bob.talk(room) as his:
        await said(his, "anybody here?")

    rooms = {
        one["name"]: one
        for one in (await bob.here.get("/api/v1/chat/rooms?limit=200")).json()["items"]
    }
    assert rooms[room]["public"] is True
    assert rooms[room]["created_by"] == alice.id


async def test_many_senders_at_once_leave_no_hole_in_the_count(town: Town) -> None:
    """Every reader sees 1 to n in this order, whichever process they are at."""
    alice, bob, room = await town.person("alice"), await town.person("bob"), town.room()
    each = 25
    async with alice.talk(room) as a, bob.talk(room, there=True) as b:
        both = (a, b)
        await asyncio.gather(*(t.say(*[chat(f"{n}") for n in range(each)]) for t in both))
        heard = await asyncio.gather(*(_numbers(talk, 2 * each) for talk in both))
        page = await alice.messages(room, limit=200)

    assert heard == [list(range(1, 2 * each + 1))] * 2
    assert [one["seq"] for one in page["items"]] == list(range(2 * each, 0, -1))
    moments = [one["timestamp"] for one in page["items"]]
    assert moments == sorted(moments, reverse=True)


async def _numbers(talk: Talk, count: int) -> list[int]:
    return [(await talk.hear_until("chat"))["seq"] for _ in range(count)]


async def test_a_message_that_is_sent_again_is_said_once(town: Town) -> None:
    """Who lost the connection sends it again; the answer is the first one, to them alone."""
    alice, bob, room = await town.person("alice"), await town.person("bob"), town.room()
    async with bob.talk(room) as his:
        async with alice.talk(room) as hers:
            first = await said(hers, "once", nonce="n1")
        async with alice.talk(room, there=True) as hers:
            again = await said(hers, "once", nonce="n1")
            await said(hers, "after it")
        await said(his, "mine", nonce="n1")
        heard = [(await his.hear_until("chat"))["message"] for _ in range(1)]
    everything = [one["message"] for one in (await bob.messages(room))["items"]]

    assert again == first
    assert everything == ["mine", "after it", "once"]
    assert heard == ["after it"]


BAD: list[Any] = [
    {"type": "chat", "message": ""},
    {"type": "chat", "message": "x" * 4_001},
    {"type": "chat", "message": 7},
    {"type": "chat"},
    {"type": "shout", "message": "hi"},
    {"message": "hi"},
    {"type": "chat", "message": "hi", "user": "admin"},
    {"type": "chat", "message": "hi", "nonce": "x" * 65},
    {"type": "chat", "message": "hi", "nonce": ""},
    {"type": "chat", "message": " \n\u3000"},
]


async def test_a_bad_message_is_answered_with_an_error_and_the_socket_stays(town: Town) -> None:
    """Nobody else hears of it, and nobody can speak in another's name."""
    alice, room = await town.person("alice"), town.room()
    async with alice.talk(room) as hers:
        await hers.say(*BAD)
        errors = [await hers.hear_until("error") for _ in BAD]
        told = await said(hers, "x" * 4_000)

    assert {one["code"] for one in errors} == {"validation_failed"}
    assert "message" in errors[0]["message"]
    assert "user" in errors[6]["message"]
    assert told["seq"] == 1


async def test_a_ping_is_answered_once_the_socket_hears_the_room(town: Town) -> None:
    """A client that reads the history after it misses nothing, and finds dead connections."""
    alice, bob, room = await town.person("alice"), await town.person("bob"), town.room()
    async with alice.talk(room) as hers, bob.talk(room) as his:
        await hers.say({"type": "ping"})
        assert set(await hers.hear_until("pong")) == {"type", "timestamp"}
        await said(his, "after it")

        assert (await hers.hear_until("chat"))["message"] == "after it"
        await hers.say({"type": "ping", "message": "x"})
        assert (await hers.hear_until("error"))["code"] == "validation_failed"


async def test_text_that_no_database_stores_is_said_all_the_same(town: Town) -> None:
    """U+0000 becomes U+FFFD, as everywhere; half a surrogate pair is no text."""
    alice, room = await town.person("alice"), town.room()
    async with alice.talk(room) as hers:
        told = await said(hers, "a\x00b", nonce="\x00")
        again = await said(hers, "a\x00b", nonce="\x00")
        await hers.say('{"type": "chat", "message": "\\ud800"}')
        refused = await hers.hear_until("error")

    assert told["message"] == "a\ufffdb"
    assert again == told
    assert refused["code"] == "validation_failed"


@pytest.mark.parametrize("name", ["a b", "ä", "x" * 65, "%0a", "a:b", "a%0a"])
async def test_a_name_that_no_room_can_have_is_refused(town: Town, name: str) -> None:
    """By HTTP with what names look like, by sockets with the code for no such room."""
    alice = await town.person("alice")

    made = await alice.here.post("/api/v1/chat/rooms", json={"name": name})
    read = await alice.here.get(f"/api/v1/chat/rooms/{name}/messages")
    async with alice.knock(name) as talk:
        code = await talk.closed()

    assert (made.status_code, read.status_code, code) == (422, 422, 4404)
    assert "A-Z a-z 0-9 . _ and -" in (talk.socket.close_reason or "")
    assert "A-Za-z0-9_.-" in made.json()["detail"]


async def test_a_private_room_opens_for_its_members_alone(town: Town) -> None:
    """For all others it looks like none, and an admin is one of them."""
    alice, bob, eve = [await town.person(name) for name in ("alice", "bob", "eve")]
    room = await alice.make_room(town.room(), bob)
    async with eve.knock(room) as hers:
        code = await hers.closed()
    async with alice.talk(room) as one, bob.talk(room, there=True) as two:
        await said(one, "between us")
        heard = await two.hear_until("chat")

    assert code == 4404
    assert heard["message"] == "between us"


async def test_who_is_sent_away_hears_nothing_more_within_two_seconds(town: Town) -> None:
    """Their sockets and streams end, in every web process."""
    alice, bob = await town.person("alice"), await town.person("bob")
    room = await alice.make_room(town.room(), bob)
    channel = f"chat:{room}"
    async with (
        bob.talk(room) as here,
        bob.talk(room, there=True) as there,
        following(bob.here, channel) as events,
    ):
        await said(here, "I am here")
        await there.hear_until("chat")

        gone = await alice.here.delete(f"/api/v1/chat/rooms/{room}/members/{bob.id}")

        assert gone.status_code == 204
        assert [await talk.closed(within_s=2) for talk in (here, there)] == [4403, 4403]
        async with asyncio.timeout(2):
            await events.until_over()
    again = await bob.here.get("/api/v1/events/stream", params={"channel": channel})
    assert again.status_code == 404


async def test_a_new_member_never_gets_what_was_said_before(town: Town) -> None:
    """Neither by reading, nor by a socket, nor by coming back with an old position."""
    alice, bob = await town.person("alice"), await town.person("bob")
    room = await alice.make_room(town.room())
    async with alice.talk(room) as hers, following(alice.here, f"chat:{room}") as events:
        await said(hers, "before 1")
        await events.event()
        old_position = events.last_id  # after the first of two
        await said(hers, "before 2")
        await alice.add(room, bob)
        await said(hers, "after 3")
        async with following(bob.here, f"chat:{room}", last_id=old_position) as his:
            heard = [(await his.event_of("chat"))["data"]["message"]]
            await said(hers, "after 4")
            heard.append((await his.event_of("chat"))["data"]["message"])

    assert heard == ["after 3", "after 4"]
    assert await _texts(bob, room) == ["after 4", "after 3"]
    assert await _texts(bob, room, before=3) == []
    assert await _texts(alice, room) == ["after 4", "after 3", "before 2", "before 1"]


async def _texts(person: Person, room: str, **query: Any) -> list[str]:
    return [one["message"] for one in (await person.messages(room, **query))["items"]]


async def test_a_stream_goes_on_where_it_was(town: Town) -> None:
    """Messages are rows: what was said meanwhile comes in order, from any process."""
    alice, bob, room = await town.person("alice"), await town.person("bob"), town.room()
    async with alice.talk(room) as hers:
        async with following(bob.here, f"chat:{room}") as events:
            await said(hers, "1")
            heard = [(await events.event_of("chat"))["data"]["message"]]
        await said(hers, "2")
        await said(hers, "3")
        async with following(bob.there, f"chat:{room}", last_id=events.last_id) as later:
            heard += [(await later.event_of("chat"))["data"]["message"] for _ in range(2)]

    assert heard == ["1", "2", "3"]


async def test_a_room_that_takes_over_a_name_is_another_room(town: Town) -> None:
    """A position in the old one is no position in the new one, though both count from 1."""
    alice, bob = await town.person("alice"), await town.person("bob")
    room = await alice.make_room(town.room())
    async with alice.talk(room) as hers, following(alice.here, f"chat:{room}") as events:
        await said(hers, "old 1")
        await events.event_of("chat")
        await alice.here.delete(f"/api/v1/chat/rooms/{room}/members/{alice.id}")
        assert await hers.closed(within_s=2) == 4403
    await bob.make_room(room, alice)
    async with bob.talk(room) as his:
        await said(his, "new 1")
        await said(his, "new 2")

    async with following(alice.here, f"chat:{room}", last_id=events.last_id) as again:
        first = await again.event()

    assert first == ("reset", {"channels": [f"chat:{room}"]})
    assert await _texts(alice, room) == ["new 2", "new 1"]
