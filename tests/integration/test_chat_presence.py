"""Who comes into a room and who leaves it: once for each person, from any web process."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from support.following import following
from support.rooms import GRACE_S, Person, Town, running_town
from support.servers import Servers
from support.sockets import Talk
from support.waiting import wait_until
from tasuki.chat import ChatService, ChatSettings
from tasuki.chat.presence import Presence
from tasuki.chat.presence.repository import PresenceRepository
from tasuki.realtime.publisher import Publisher
from tasuki.web.principal import Principal

pytestmark = pytest.mark.asyncio(loop_scope="module")

COME, GO = "user_joined", "user_left"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Town]:
    """Two web processes for all tests of this module."""
    async with running_town(servers, tmp_path_factory.mktemp("town")) as running:
        yield running


async def heard_of(town: Town, room: str, watcher: Talk) -> dict[int, list[dict[str, Any]]]:
    """Return what the watcher has heard of each person, up to now."""
    last = await town.person("last")
    heard = defaultdict(list)
    async with last.talk(room):  # it is told of after everything else
        while (event := await watcher.hear()).get("user_id") != last.id:
            heard[event.get("user_id", 0)].append(event)
    return heard


def kinds(events: list[dict[str, Any]]) -> list[str]:
    """Return the types of events."""
    return [event["type"] for event in events]


async def is_there(town: Town, room: str, person: Person) -> list[bool]:
    """Return for each web process by which somebody is in a room whether they stay."""
    rows = await town.rows(
        "SELECT leaving_at FROM chat_presence JOIN chat_rooms ON id = room_id "
        "WHERE name = $1 AND user_id = $2",
        room,
        person.id,
    )
    return [row["leaving_at"] is None for row in rows]


async def gone(town: Town, room: str, *people: Person) -> None:
    """Wait until people have left a room."""

    async def nobody_is_there() -> bool:
        return not any([await is_there(town, room, person) for person in people])

    await wait_until(nobody_is_there, within=10, what="everybody's leave")


async def test_a_person_comes_and_leaves_once_over_all_their_sockets(town: Town) -> None:
    """Tabs, devices, web processes: they are one person. The fields are those promised."""
    alice, bob, room = await town.person("alice"), await town.person("bob"), town.room()
    async with alice.talk(room) as watcher:
        async with bob.talk(room), bob.talk(room), bob.talk(room, there=True):
            pass
        await gone(town, room, bob)
        heard = (await heard_of(town, room, watcher))[bob.id]

    told = [
        {
            "type": f"user_{verb}",
            "user": bob.name,
            "user_id": bob.id,
            "message": f"{bob.name} {verb} the room",
            "room": room,
        }
        for verb in ("joined", "left")
    ]
    moments = [event.pop("timestamp") for event in heard]
    assert heard == told
    assert moments == sorted(moments)


async def test_nobody_has_left_before_the_grace_is_over(town: Town) -> None:
    """By the database's clock, which all processes share."""
    alice, bob, room = await town.person("alice"), await town.person("bob"), town.room()
    async with alice.talk(room) as watcher:
        async with bob.talk(room):
            (still_there,) = await town.rows("SELECT clock_timestamp() AS at")
        left = await watcher.hear_until(GO)

    pause = datetime.fromisoformat(left["timestamp"]) - still_there["at"]
    assert pause.total_seconds() >= GRACE_S


@pytest.mark.parametrize("there", [False, True], ids=["same process", "another process"])
async def test_a_reload_of_the_page_is_silent(town: Town, *, there: bool) -> None:
    """Who comes back within the grace was never away, whichever process they come back to."""
    alice, bob, room = await town.person("alice"), await town.person("bob"), town.room()
    async with alice.talk(room) as watcher:
        async with AsyncExitStack() as later:
            async with nobody_is_said_to_have_left(town):  # however slow this machine is
                async with bob.talk(room):
                    pass
                await later.enter_async_context(bob.talk(room, there=there))

            async def is_there_once() -> bool:
                return await is_there(town, room, bob) == [True]

            await wait_until(is_there_once, within=10)
        await gone(town, room, bob)
        heard = await heard_of(town, room, watcher)

    assert kinds(heard[bob.id]) == [COME, GO]


@asynccontextmanager
async def nobody_is_said_to_have_left(town: Town) -> AsyncGenerator[None]:
    """Look for leaves in place of the web processes, without looking."""
    async with town.live.database.unit_of_work() as session:
        await wait_until(lambda: PresenceRepository().hold_leaving(session), within=5)
        yield


async def test_many_who_come_and_go_at_once_are_each_told_in_turn(town: Town) -> None:
    """Both processes look for leaves, and sockets open while they do; none is told twice."""
    witness, room = await town.person("witness"), town.room()
    people = [await town.person("many") for _ in range(8)]
    async with witness.talk(room) as watcher:
        for _ in range(2):
            await asyncio.gather(*(_drop_by(one, room) for one in people))
        await gone(town, room, *people)
        heard = await heard_of(town, room, watcher)

    for one in people:
        told = kinds(heard[one.id])
        assert told == [COME, GO] * (len(told) // 2)  # a slow machine outlasts the grace
        assert 2 <= len(told) <= 8


async def _drop_by(person: Person, room: str) -> None:
    async with person.talk(room), person.talk(room, there=True):
        pass
    async with person.talk(room, there=True):
        pass


async def test_who_was_there_by_a_crashed_process_leaves_after_a_minute(town: Town) -> None:
    """A process that is killed tells nobody anything; the others notice its silence."""
    alice, bob, carol = [await town.person(name) for name in ("alice", "bob", "carol")]
    room, node = town.room(), uuid4()
    async with alice.talk(room) as watcher, carol.talk(room, there=True):
        await town.rows(
            "INSERT INTO chat_nodes (node, seen_at) VALUES ($1, now() - interval '61 seconds')",
            node,
        )
        await town.rows(
            "INSERT INTO chat_presence (room_id, user_id, node, username) "
            "SELECT chat_rooms.id, users.id, $2, username FROM chat_rooms, users "
            "WHERE chat_rooms.name = $1 AND users.id = ANY($3)",
            room,
            node,
            [bob.id, carol.id],
        )

        await _presence(town)._beat()

        await gone(town, room, bob)
        heard = await heard_of(town, room, watcher)

    assert kinds(heard[bob.id]) == [GO]
    assert kinds(heard[carol.id]) == [COME]  # she is there by another one as well


async def test_a_process_that_was_taken_for_lost_finds_its_people_again(town: Town) -> None:
    """One that stood still for a minute goes on; who is still there comes back."""
    alice, bob, room = await town.person("alice"), await town.person("bob"), town.room()
    async with alice.talk(room) as watcher, bob.talk(room, there=True):
        lost = town.other.services.get(Presence)
        await town.rows(
            "UPDATE chat_nodes SET seen_at = now() - interval '61 seconds' WHERE node = $1",
            lost._node,
        )
        await _presence(town)._beat()
        await gone(town, room, bob)

        await lost._beat()
        heard = await heard_of(town, room, watcher)

    assert kinds(heard[bob.id]) == [COME, GO, COME]


def _presence(town: Town) -> Presence:
    return town.live.tasuki.services.get(Presence)


async def test_who_follows_by_a_stream_hears_who_comes_and_goes(town: Town) -> None:
    """It is a channel like any other, but for history: it is told now and never again."""
    alice, bob = await town.person("alice"), await town.person("bob")
    room = await alice.make_room(town.room(), bob)
    async with following(alice.here, f"presence:{room}") as events:
        await events.frame()
        async with bob.talk(room, there=True):
            kind, told = await events.event()

    assert (kind, told["offset"], told["data"]["user_id"]) == (COME, None, bob.id)


async def test_a_process_that_stops_lets_those_leave_who_are_there_by_it(town: Town) -> None:
    """In their time: most of them are back by another one before that."""
    alice, bob, room = await town.person("alice"), await town.person("bob"), town.room()
    async with alice.talk(room) as watcher:
        stopping = Presence(
            database=town.live.database,
            publisher=town.live.tasuki.services.get(Publisher),
            settings=ChatSettings(leave_after_s=GRACE_S),
        )
        user = Principal(id=bob.id, username=bob.name)
        async with town.live.database.unit_of_work() as session:
            found = await town.live.tasuki.services.get(ChatService).get(session, user, room)
        await stopping.enter(found, user)

        await stopping.close()

        await gone(town, room, bob)
        heard = await heard_of(town, room, watcher)

    assert kinds(heard[bob.id]) == [COME, GO]
    assert await town.rows("SELECT FROM chat_nodes WHERE node = $1", stopping._node) == []
