"""SQL for who is in which room by way of which web process. All times are the database's."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, exists, func, literal, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from tasuki.chat.models import NodeRow, PresenceRow, RoomRow
from tasuki.core.database import Session

Key = tuple[UUID, int]
"""A room and a user."""

_LEAVING_LOCK = 0x7A5B_1EAF  # any number that nobody else takes
_PERSON_LOCK = 0x7A5B  # the first of two, which are apart from all single ones


@dataclass(frozen=True, kw_only=True, slots=True)
class Gone:
    """Somebody who is in a room no longer, by no web process."""

    room: str
    user_id: int
    username: str
    at: datetime


class PresenceRepository:
    """Reads and writes presence within somebody's unit of work."""

    async def arrive(
        self, session: Session, key: Key, node: UUID, username: str
    ) -> datetime | None:
        """Note that somebody is in a room; return when, if they were not there by any process.

        Nothing is noted, nor returned, when the room has ended.
        """
        await self._hold(session, key)
        room_id, user_id = key
        is_theirs = (PresenceRow.room_id == room_id, PresenceRow.user_id == user_id)
        was_there = (await session.execute(select(exists().where(*is_theirs)))).scalar_one()
        # A process that nobody knows would be taken for lost.
        await session.execute(insert(NodeRow).values(node=node).on_conflict_do_nothing())
        columns = ["room_id", "user_id", "node", "username"]
        row = (
            select(RoomRow.id, literal(user_id), literal(node), literal(username))
            .where(RoomRow.id == room_id)
            .with_for_update(read=True, key_share=True)  # or it might end meanwhile
        )
        added = await session.execute(
            insert(PresenceRow)
            .from_select(columns, row)
            .on_conflict_do_update(
                index_elements=["room_id", "user_id", "node"],
                set_={"leaving_at": None, "username": username},
            )
            .returning(func.now())
        )
        now: datetime | None = added.scalar()
        return None if was_there else now

    async def depart(self, session: Session, key: Key, node: UUID, after: timedelta) -> None:
        """Note that somebody has left this process, and the room after a time."""
        await session.execute(
            update(PresenceRow)
            .where(
                PresenceRow.room_id == key[0],
                PresenceRow.user_id == key[1],
                PresenceRow.node == node,
            )
            .values(leaving_at=func.now() + after)
        )

    async def beat(self, session: Session, node: UUID) -> set[Key]:
        """Say that a process lives; return who is noted as being in a room by way of it."""
        await session.execute(
            insert(NodeRow)
            .values(node=node)
            .on_conflict_do_update(index_elements=["node"], set_={"seen_at": func.now()})
        )
        found = await session.execute(
            select(PresenceRow.room_id, PresenceRow.user_id).where(
                PresenceRow.node == node, PresenceRow.leaving_at.is_(None)
            )
        )
        return {(row.room_id, row.user_id) for row in found}

    async def give_up_lost(self, session: Session, silent_for: timedelta) -> None:
        """Let those leave now who are here by processes that were silent for so long."""
        await session.execute(delete(NodeRow).where(NodeRow.seen_at < func.now() - silent_for))
        is_known = exists().where(NodeRow.node == PresenceRow.node)
        await session.execute(
            update(PresenceRow)
            .where(PresenceRow.leaving_at.is_(None), ~is_known)
            .values(leaving_at=func.now())
        )

    async def retire(self, session: Session, node: UUID, after: timedelta) -> None:
        """Forget a process that stops; who was here by it has left after a time."""
        await session.execute(
            update(PresenceRow)
            .where(PresenceRow.node == node, PresenceRow.leaving_at.is_(None))
            .values(leaving_at=func.now() + after)
        )
        await session.execute(delete(NodeRow).where(NodeRow.node == node))

    async def hold_leaving(self, session: Session) -> bool:
        """Whether nobody else looks for who has left until this unit of work ends."""
        held = await session.execute(select(func.pg_try_advisory_xact_lock(_LEAVING_LOCK)))
        return bool(held.scalar_one())

    async def take_gone(self, session: Session, *, most: int) -> list[Gone]:
        """Forget presences whose time has come; return who is in a room no longer by any."""
        is_due = PresenceRow.leaving_at <= func.now()
        found = await session.execute(
            select(PresenceRow.room_id, PresenceRow.user_id).where(is_due).distinct().limit(most)
        )
        due = sorted((row.room_id, row.user_id) for row in found)
        if not due:
            return []
        for key in due:
            await self._hold(session, key)
        theirs = tuple_(PresenceRow.room_id, PresenceRow.user_id)
        removed = await session.execute(
            delete(PresenceRow)
            .where(theirs.in_(due), is_due)
            .returning(PresenceRow.room_id, PresenceRow.user_id, PresenceRow.username)
        )
        names: dict[Key, str] = {(row.room_id, row.user_id): row.username for row in removed}
        return await self._without_others(session, names)

    async def next_due_s(self, session: Session) -> float | None:
        """Return in how many seconds the next one has left, if anybody is leaving."""
        first = func.min(PresenceRow.leaving_at)
        found = await session.execute(select(func.extract("epoch", first - func.now())))
        seconds = found.scalar_one()
        return None if seconds is None else float(seconds)

    async def _without_others(self, session: Session, names: dict[Key, str]) -> list[Gone]:
        rooms = {room_id for room_id, _ in names}
        found = await session.execute(
            select(RoomRow.id, RoomRow.name, func.now().label("at")).where(RoomRow.id.in_(rooms))
        )
        known = {row.id: row for row in found}
        others = await self._present(session, list(names))
        return [
            Gone(
                room=known[room_id].name, user_id=user_id, username=username, at=known[room_id].at
            )
            for (room_id, user_id), username in names.items()
            if room_id in known and (room_id, user_id) not in others
        ]

    async def _present(self, session: Session, keys: Sequence[Key]) -> set[Key]:
        theirs = tuple_(PresenceRow.room_id, PresenceRow.user_id)
        found = await session.execute(
            select(PresenceRow.room_id, PresenceRow.user_id).where(theirs.in_(keys))
        )
        return {(row.room_id, row.user_id) for row in found}

    async def _hold(self, session: Session, key: Key) -> None:
        """Let nobody else note anything of a person in a room until the unit of work ends."""
        person = func.hashtext(f"{key[0]}:{key[1]}")
        await session.execute(select(func.pg_advisory_xact_lock(_PERSON_LOCK, person)))
