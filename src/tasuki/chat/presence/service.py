"""Decides when somebody has come into a room, and when they have left it.

They are there while they have a socket in any web process, and for some seconds longer: who
reloads a page was never away. What a process knows is in its memory, what all know together in
a table, and each process makes the table true for its own part.
"""

import asyncio
import random
from dataclasses import dataclass, field
from datetime import timedelta

from tasuki.chat.presence.repository import Key, PresenceRepository
from tasuki.chat.records import Room
from tasuki.chat.schemas import UserJoined, UserLeft
from tasuki.chat.settings import ChatSettings
from tasuki.core.database import Database
from tasuki.core.errors import Unavailable
from tasuki.core.ids import new_id
from tasuki.core.logging import get_logger
from tasuki.realtime.publisher import Publisher
from tasuki.web.principal import Principal

log = get_logger(__name__)

LOST_AFTER = timedelta(seconds=60)
"""A process that was silent for so long has crashed, and who was there by it has left."""
_BEAT_EVERY_S = 15.0
_AT_ONCE = 100


@dataclass(eq=False, slots=True)
class _Here:
    """One person in one room by way of this process.

    Attributes:
        is_noted: What the table says of them; None: nobody knows, look anew.
    """

    key: Key
    room: str
    user: Principal
    sockets: int = 0
    is_noted: bool | None = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Presence:
    """Who is in which room by way of this web process; see the module."""

    def __init__(
        self,
        *,
        database: Database,
        publisher: Publisher,
        settings: ChatSettings,
        repository: PresenceRepository | None = None,
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._grace = timedelta(seconds=settings.leave_after_s)
        self._presence = repository or PresenceRepository()
        self._node = new_id()
        self._here: dict[Key, _Here] = {}
        self._beat_at = 0.0

    async def enter(self, room: Room, user: Principal) -> None:
        """Note one more socket of somebody in a room; all are told if it is the first anywhere.

        Raises:
            Unavailable: The database does not answer; `leave` is due nevertheless.
        """
        key = (room.id, user.id)
        here = self._here.get(key)
        if here is None:
            here = self._here[key] = _Here(key, room.name, user)
        here.sockets += 1
        await self._note(here)

    async def leave(self, room: Room, user: Principal) -> None:
        """Note one socket less, once for each `enter`."""
        here = self._here[room.id, user.id]
        here.sockets -= 1
        try:
            await self._note(here)
        except Unavailable as exc:
            log.warning("leave_put_off", error=str(exc))  # the loop notes it

    async def run_for_ever(self) -> None:
        """Say that this process lives, and tell who has left, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                if loop.time() >= self._beat_at:
                    await self._beat()
                    self._beat_at = loop.time() + _BEAT_EVERY_S
                pause_s = await self._tell_gone()
            except Unavailable as exc:
                log.warning("presence_put_off", error=str(exc))
                pause_s = random.uniform(0.2, 1.0)  # noqa: S311  # spreads load
            await asyncio.sleep(pause_s)

    async def close(self) -> None:
        """Let those leave, in their time, who are still here by way of this process."""
        try:
            async with self._database.unit_of_work() as session:
                await self._presence.retire(session, self._node, self._grace)
        except Unavailable as exc:
            log.warning("presence_not_retired", error=str(exc))  # the others will give us up

    async def _note(self, here: _Here) -> None:
        """Make the table say of somebody what is so."""
        async with here.lock:
            is_here = here.sockets > 0
            if here.is_noted is not is_here:
                here.is_noted = None  # until it is committed for certain
                await (self._arrive(here) if is_here else self._depart(here))
                here.is_noted = is_here
            if not here.sockets and here.is_noted is False:
                self._here.pop(here.key, None)

    async def _arrive(self, here: _Here) -> None:
        user = here.user
        async with self._database.unit_of_work() as session:
            at = await self._presence.arrive(session, here.key, self._node, user.username)
            if at is not None:
                joined = UserJoined(
                    user=user.username,
                    user_id=user.id,
                    message=f"{user.username} joined the room",
                    timestamp=at,
                    room=here.room,
                )
                await self._publisher.publish_in(session, f"presence:{here.room}", joined)

    async def _depart(self, here: _Here) -> None:
        async with self._database.unit_of_work() as session:
            await self._presence.depart(session, here.key, self._node, self._grace)

    async def _beat(self) -> None:
        """Compare what this process knows with the table, and give up on lost processes."""
        async with self._database.unit_of_work() as session:
            noted = await self._presence.beat(session, self._node)
            await self._presence.give_up_lost(session, LOST_AFTER)
        for here in list(self._here.values()):
            if (here.key in noted) is not here.is_noted:
                here.is_noted = None
            await self._note(here)

    async def _tell_gone(self) -> float:
        """Tell who has left; return after how many seconds to look again.

        Whoever begins to leave now has left after the grace, so nobody is overslept.
        """
        grace_s = self._grace.total_seconds()
        async with self._database.unit_of_work() as session:
            if not await self._presence.hold_leaving(session):
                return random.uniform(0.5, 1.0) * grace_s  # noqa: S311  # spreads load
            gone = await self._presence.take_gone(session, most=_AT_ONCE)
            for one in gone:
                left = UserLeft(
                    user=one.username,
                    user_id=one.user_id,
                    message=f"{one.username} left the room",
                    timestamp=one.at,
                    room=one.room,
                )
                await self._publisher.publish_in(session, f"presence:{one.room}", left)
            due_s = await self._presence.next_due_s(session)
        return grace_s if due_s is None else min(max(due_s, 0.01), grace_s)
