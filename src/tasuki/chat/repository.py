"""SQL for rooms, their members and messages. All times are the database's."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, delete, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from tasuki.chat.models import MemberRow, MessageRow, RoomRow
from tasuki.chat.records import Member, Message, Room
from tasuki.core.database import Session
from tasuki.core.ids import new_id

_ROOM = (
    RoomRow.id,
    RoomRow.name,
    RoomRow.public,
    RoomRow.created_by,
    RoomRow.created_at,
    RoomRow.seq,
)
_MEMBER = (MemberRow.user_id, MemberRow.username, MemberRow.joined_at)
_MESSAGE = [getattr(MessageRow, name) for name in Message.__dataclass_fields__]


class ChatRepository:
    """Reads and writes rooms within somebody's unit of work."""

    async def add_room(
        self, session: Session, name: str, *, public: bool, created_by: int
    ) -> UUID | None:
        """Insert a room; return nothing if the name is taken."""
        added = await session.scalars(
            insert(RoomRow)
            .values(id=new_id(), name=name, public=public, created_by=created_by)
            .on_conflict_do_nothing()
            .returning(RoomRow.id)
        )
        return added.first()

    async def count_rooms(self, session: Session, created_by: int) -> int:
        """Return how many rooms a user has made."""
        query = select(func.count()).where(RoomRow.created_by == created_by)
        return int((await session.execute(query)).scalar_one())

    async def find_room(
        self, session: Session, name: str, *, user_id: int, hold: bool = False
    ) -> Room | None:
        """Return a room that a user may see.

        Args:
            hold: Let nobody else send to it or change its members until the unit of work ends.
        """
        query = _seen_by(user_id).where(RoomRow.name == name)
        if hold:
            # Whoever waits here sees the room as it is after the wait, its `seq` above all.
            query = query.with_for_update(of=RoomRow, key_share=True)
        row = (await session.execute(query)).first()
        return None if row is None else _room(row)

    async def rooms(
        self, session: Session, *, user_id: int, after: str | None, limit: int
    ) -> list[Room]:
        """Return rooms that a user may see, by name."""
        query = _seen_by(user_id).order_by(RoomRow.name).limit(limit)
        if after is not None:
            query = query.where(RoomRow.name > after)
        return [_room(row) for row in await session.execute(query)]

    async def remove_room(self, session: Session, room_id: UUID) -> None:
        """Delete a room and all that was said in it."""
        await session.execute(delete(RoomRow).where(RoomRow.id == room_id))

    async def newest(self, session: Session, name: str) -> tuple[UUID, int] | None:
        """Return a room's id and the seq of its last message, whoever asks."""
        found = await session.execute(select(RoomRow.id, RoomRow.seq).where(RoomRow.name == name))
        row = found.first()
        return None if row is None else (row.id, row.seq)

    async def add_member(
        self,
        session: Session,
        room_id: UUID,
        user_id: int,
        *,
        username: str | None,
        since_seq: int,
    ) -> bool:
        """Let somebody belong to a room; return False if they did already."""
        added = await session.execute(
            insert(MemberRow)
            .values(room_id=room_id, user_id=user_id, username=username, since_seq=since_seq)
            .on_conflict_do_nothing()
            .returning(MemberRow.user_id)
        )
        return added.first() is not None

    async def name_member(
        self, session: Session, room_id: UUID, user_id: int, username: str
    ) -> None:
        """Note the name of a member, if it is another than before."""
        await session.execute(
            update(MemberRow)
            .where(
                MemberRow.room_id == room_id,
                MemberRow.user_id == user_id,
                MemberRow.username.is_distinct_from(username),
            )
            .values(username=username)
        )

    async def remove_member(self, session: Session, room_id: UUID, user_id: int) -> bool:
        """Let somebody belong to a room no longer; return False if they did not."""
        removed = await session.execute(
            delete(MemberRow)
            .where(MemberRow.room_id == room_id, MemberRow.user_id == user_id)
            .returning(MemberRow.user_id)
        )
        return removed.first() is not None

    async def member(self, session: Session, room_id: UUID, user_id: int) -> Member:
        """Return somebody who belongs to a room."""
        found = await session.execute(
            select(*_MEMBER).where(MemberRow.room_id == room_id, MemberRow.user_id == user_id)
        )
        return Member(**found.mappings().one())

    async def members(
        self, session: Session, room_id: UUID, *, after: int, limit: int
    ) -> list[Member]:
        """Return members of a room, by their number."""
        found = await session.execute(
            select(*_MEMBER)
            .where(MemberRow.room_id == room_id, MemberRow.user_id > after)
            .order_by(MemberRow.user_id)
            .limit(limit)
        )
        return [Member(**row) for row in found.mappings()]

    async def has_members(self, session: Session, room_id: UUID) -> bool:
        """Whether anybody belongs to a room."""
        query = select(exists().where(MemberRow.room_id == room_id))
        return bool((await session.execute(query)).scalar_one())

    async def add_message(
        self,
        session: Session,
        room_id: UUID,
        *,
        user_id: int,
        username: str,
        message: str,
        nonce: str | None,
    ) -> Message:
        """Insert a message as the next one of a held room."""
        counted = (
            update(RoomRow)
            .where(RoomRow.id == room_id)
            .values(seq=RoomRow.seq + 1)
            .returning(RoomRow.seq)
            .cte("counted")
        )
        added = await session.execute(
            insert(MessageRow)
            .values(
                room_id=room_id,
                seq=select(counted.c.seq).scalar_subquery(),
                id=new_id(),
                user_id=user_id,
                username=username,
                message=message,
                nonce=nonce,
                # Not now(), which is when the unit of work began: another one may have begun
                # later and been first.
                created_at=func.clock_timestamp(),
            )
            .returning(*_MESSAGE)
        )
        return Message(**added.mappings().one())

    async def message_of(
        self, session: Session, room_id: UUID, user_id: int, nonce: str
    ) -> Message | None:
        """Return what a user said under a word of their own."""
        found = await session.execute(
            select(*_MESSAGE).where(
                MessageRow.room_id == room_id,
                MessageRow.user_id == user_id,
                MessageRow.nonce == nonce,
            )
        )
        row = found.mappings().first()
        return None if row is None else Message(**row)

    async def messages_before(
        self, session: Session, room: Room, *, before: int | None, limit: int
    ) -> list[Message]:
        """Return messages that the room's user may see, the newest first."""
        query = select(*_MESSAGE).where(
            MessageRow.room_id == room.id, MessageRow.seq > room.since_seq
        )
        if before is not None:
            query = query.where(MessageRow.seq < before)
        found = await session.execute(query.order_by(MessageRow.seq.desc()).limit(limit))
        return [Message(**row) for row in found.mappings()]

    async def messages_after(
        self, session: Session, room_id: UUID, seq: int, *, limit: int
    ) -> Sequence[Message]:
        """Return what was said after a message, in its order, whoever asks."""
        found = await session.execute(
            select(*_MESSAGE)
            .where(MessageRow.room_id == room_id, MessageRow.seq > seq)
            .order_by(MessageRow.seq)
            .limit(limit)
        )
        return [Message(**row) for row in found.mappings()]


def _seen_by(user_id: int) -> Select[*tuple[Any, ...]]:
    """Return the query of all rooms that a user may see, with what they are to them."""
    is_theirs = and_(MemberRow.room_id == RoomRow.id, MemberRow.user_id == user_id)
    return (
        select(*_ROOM, MemberRow.since_seq)
        .outerjoin(MemberRow, is_theirs)
        .where(or_(RoomRow.public, MemberRow.user_id.is_not(None)))
    )


def _room(row: Any) -> Room:
    shown = dict(row._mapping)  # noqa: SLF001  # SQLAlchemy's public name for it
    since_seq = shown.pop("since_seq")
    return Room(
        **shown,
        since_seq=0 if shown["public"] else since_seq,
        is_member=since_seq is not None,
    )
