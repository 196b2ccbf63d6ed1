"""What happens in a room at the same moment, held there until the other side has come as far."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import pytest

from support.waiting import wait_until
from tasuki.chat import ChatService, ChatSettings, RoomNotFound
from tasuki.chat.presence.repository import PresenceRepository
from tasuki.core.database import Database, Session
from tasuki.core.ids import new_id
from tasuki.core.notices import MemoryNotices
from tasuki.web.principal import Principal

Result = TypeVar("Result")
Deed = Callable[[Session], Awaitable[Result]]

ALICE, BOB, CAROL = (
    Principal(id=number, username=name) for number, name in enumerate(("alice", "bob", "carol"), 1)
)
WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


@dataclass
class Room:
    """A private room of Alice, and what changes it."""

    database: Database
    chat: ChatService

    async def do(self, deed: Deed[Result]) -> Result:
        """Do something in a transaction of its own."""
        async with self.database.unit_of_work() as session:
            return await deed(session)

    async def during(self, first: Deed[Any], second: Deed[Result]) -> Result:
        """Do the first; do the second before the first is committed, and return what it gave."""
        async with self.database.unit_of_work() as session:
            await first(session)
            doing = asyncio.create_task(self.do(second))
            await wait_until(lambda: self._waits_or_is_done(doing), within=10)
        return await doing

    async def said_to(self, user: Principal) -> list[str]:
        """Return what somebody may read, the oldest first."""
        found = await self.do(lambda session: self.chat.messages(session, user, "room"))
        return [said.message for said in reversed(found)]

    async def _waits_or_is_done(self, doing: "asyncio.Task[Any]") -> bool:
        async with self.database.driver() as connection:
            waiting: int = await connection.fetchval(WAITING)
        return doing.done() or waiting > 0


@pytest.fixture
async def room(database: Database) -> Room:
    """Nobody has said anything."""
    made = Room(database, ChatService(notices=MemoryNotices(), settings=ChatSettings()))
    await made.do(lambda session: made.chat.create(session, ALICE, "room", public=False))
    return made


def says(room: Room, user: Principal, text: str, nonce: str | None = None) -> Deed[Any]:
    """Return what says something."""
    return lambda session: room.chat.send(session, user, "room", text, nonce=nonce)


def lets_in(room: Room, user: Principal) -> Deed[Any]:
    """Return what lets somebody in."""
    return lambda session: room.chat.add_member(session, ALICE, "room", user.id)


def leaves(room: Room, user: Principal) -> Deed[Any]:
    """Return what lets somebody leave."""
    return lambda session: room.chat.remove_member(session, user, "room", user.id)


async def test_who_comes_while_something_is_said_comes_after_it(room: Room) -> None:
    """It was said before they came, though it is committed a moment later."""
    await room.during(says(room, ALICE, "before"), lets_in(room, BOB))
    await room.do(says(room, ALICE, "after"))

    assert await room.said_to(BOB) == ["after"]


async def test_what_is_said_while_somebody_comes_is_said_to_them(room: Room) -> None:
    """The other way round: they are there once it is said."""
    await room.during(lets_in(room, BOB), says(room, ALICE, "hello"))

    assert await room.said_to(BOB) == ["hello"]


async def test_the_same_message_sent_twice_at_once_is_said_once(room: Room) -> None:
    """A client that gave up on a socket sends it again by another, while the first still works."""
    again, is_new = await room.during(
        says(room, ALICE, "once", nonce="n"), says(room, ALICE, "once", nonce="n")
    )

    assert (again.seq, is_new) == (1, False)
    assert await room.said_to(ALICE) == ["once"]


async def test_a_message_that_is_not_committed_leaves_no_hole(room: Room) -> None:
    """Who waited for it gets its number."""

    async def fail(session: Session) -> None:
        async with session.begin_nested() as part:
            await room.chat.send(session, ALICE, "room", "never mind")
            await part.rollback()

    (said, _) = await room.during(fail, says(room, ALICE, "first"))

    assert said.seq == 1


async def test_moments_are_in_the_order_of_the_numbers(room: Room) -> None:
    """A transaction that began first may say something last."""
    async with room.database.unit_of_work() as session:
        await room.chat.get(session, ALICE, "room")
        await room.do(says(room, ALICE, "one"))
        await room.chat.send(session, ALICE, "room", "two")

    found = await room.do(lambda session: room.chat.messages(session, ALICE, "room"))
    assert [said.message for said in found] == ["two", "one"]
    assert found[0].created_at > found[1].created_at


async def test_a_room_that_two_leave_at_once_ends(room: Room) -> None:
    """Each is not the last as long as the other is there."""
    await room.do(lets_in(room, BOB))

    await room.during(leaves(room, BOB), leaves(room, ALICE))

    await room.do(lambda session: room.chat.create(session, CAROL, "room"))


async def test_nobody_is_let_into_a_room_that_ends(room: Room) -> None:
    """Nor is anything said in it, or anybody noted as being there."""
    found = await room.do(lambda session: room.chat.get(session, ALICE, "room"))
    presence = PresenceRepository()

    async def everything(session: Session) -> object:
        at = await presence.arrive(session, (found.id, ALICE.id), new_id(), ALICE.username)
        for deed in (lets_in(room, BOB), says(room, ALICE, "hello?")):
            with pytest.raises(RoomNotFound):
                await deed(session)
        return at

    assert await room.during(leaves(room, ALICE), everything) is None


async def test_who_comes_back_while_their_leave_is_told_has_come_again(room: Room) -> None:
    """Or all would take somebody for gone who is there."""
    found = await room.do(lambda session: room.chat.get(session, ALICE, "room"))
    presence, key = PresenceRepository(), (found.id, ALICE.id)
    one, other = new_id(), new_id()
    await room.do(lambda session: presence.arrive(session, key, one, "alice"))
    await room.do(lambda session: presence.depart(session, key, one, timedelta()))

    told: list[Any] = []

    async def tell(session: Session) -> None:
        told.extend(await presence.take_gone(session, most=10))

    came_at = await room.during(
        tell, lambda session: presence.arrive(session, key, other, "alice")
    )

    assert [one.user_id for one in told] == [ALICE.id]
    assert came_at is not None


async def test_two_ways_of_being_there_that_end_at_once_are_one_leave(room: Room) -> None:
    """Of two rows that are taken together the person is told of once."""
    found = await room.do(lambda session: room.chat.get(session, ALICE, "room"))
    presence, key = PresenceRepository(), (found.id, ALICE.id)

    async def come_and_go(session: Session) -> None:
        node = new_id()
        await presence.arrive(session, key, node, "alice")
        await presence.depart(session, key, node, timedelta())

    await room.do(come_and_go)
    await room.do(come_and_go)

    gone = await room.do(lambda session: presence.take_gone(session, most=10))

    assert [(one.room, one.user_id, one.username) for one in gone] == [("room", 1, "alice")]
