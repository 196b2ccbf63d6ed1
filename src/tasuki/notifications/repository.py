"""SQL for notifications and for who has read them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    delete,
    false,
    func,
    insert,
    literal,
    select,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import insert as insert_once

from tasuki.core.database import Session
from tasuki.notifications.models import NotificationRow, ReadRow
from tasuki.notifications.records import Note, Notification

_EVERYBODY = 0  # no user has this id
_SHOWN = ("id", "notification_type", "title", "message", "data", "created_at")


class NotificationRepository:
    """Reads and writes notifications within somebody's unit of work.

    Everywhere, ``since`` is when the account of a user began: of what went to everybody they
    are shown only what came later. None: that is not known, and they are shown all.
    """

    async def hold(self, session: Session, user_id: int | None, *, alone: bool) -> None:
        """Wait for others who change one inbox, or all of them, until the unit of work ends.

        Args:
            user_id: None stands for what goes to everybody.
            alone: Nobody else may hold it; otherwise any number may who say so too.
        """
        take = func.pg_advisory_xact_lock if alone else func.pg_advisory_xact_lock_shared
        key = func.hashtextextended("tasuki.inbox", user_id or _EVERYBODY)
        await session.execute(select(take(key)))

    async def add(
        self, session: Session, notification_id: UUID, user_id: int | None, note: Note
    ) -> tuple[datetime, bool]:
        """Insert one unless there is one of this id; return when it was told, and if it is new."""
        added = await session.execute(
            insert_once(NotificationRow)
            .values(
                id=notification_id,
                user_id=user_id,
                notification_type=note.notification_type,
                title=note.title,
                message=note.message,
                data=note.data,
            )
            .on_conflict_do_nothing()
            .returning(NotificationRow.created_at)
        )
        created_at = added.scalar_one_or_none()
        if created_at is not None:
            return created_at, True
        earlier = select(NotificationRow.created_at).where(NotificationRow.id == notification_id)
        return (await session.execute(earlier)).scalar_one(), False

    async def page(
        self,
        session: Session,
        user_id: int,
        *,
        since: datetime | None,
        before: tuple[datetime, UUID] | None,
        limit: int,
    ) -> list[Notification]:
        """Return what a user was told, newest first, from the one after ``before``."""
        # Each part has its own index and its own limit; no other user's rows are passed.
        parts = [
            _after(query, before).order_by(*_NEWEST_FIRST).limit(limit)
            for query in (_own(user_id), _of_all(user_id, since))
        ]
        both = union_all(*parts).subquery()
        newest = select(both).order_by(both.c.created_at.desc(), both.c.id.desc()).limit(limit)
        return [Notification(**row) for row in (await session.execute(newest)).mappings()]

    async def find(
        self, session: Session, user_id: int, notification_id: UUID, *, since: datetime | None
    ) -> Notification | None:
        """Return one of those that a user was told."""
        wanted = NotificationRow.id == notification_id
        both = union_all(
            _own(user_id).where(wanted), _of_all(user_id, since).where(wanted)
        ).subquery()
        row = (await session.execute(select(both))).mappings().first()
        return None if row is None else Notification(**row)

    async def unread(self, session: Session, user_id: int, *, since: datetime | None) -> int:
        """Return how many a user has not read."""
        mine = select(func.count()).where(
            NotificationRow.user_id == user_id, NotificationRow.read_at.is_(None)
        )
        of_all = select(func.count()).where(*_went_to_all(since), ~_has_read(user_id))
        counted = select(mine.scalar_subquery() + of_all.scalar_subquery())
        return int((await session.execute(counted)).scalar_one())

    async def mark(self, session: Session, user_id: int, notification: Notification) -> None:
        """Note that a user has read one."""
        if notification.broadcast:
            values = {"user_id": user_id, "notification_id": notification.id}
            await session.execute(insert_once(ReadRow).values(values).on_conflict_do_nothing())
            return
        mine = NotificationRow.id == notification.id
        await session.execute(update(NotificationRow).where(mine).values(read_at=func.now()))

    async def mark_all(self, session: Session, user_id: int, *, since: datetime | None) -> None:
        """Note that a user has read all there is."""
        await session.execute(
            update(NotificationRow)
            .where(NotificationRow.user_id == user_id, NotificationRow.read_at.is_(None))
            .values(read_at=func.now())
        )
        unread = select(literal(user_id), NotificationRow.id).where(
            *_went_to_all(since), ~_has_read(user_id)
        )
        columns = ["user_id", "notification_id"]
        await session.execute(insert(ReadRow).from_select(columns, unread))

    async def delete_old(self, session: Session, *, older_than_s: int, limit: int) -> int:
        """Delete notifications that were told long ago; return how many."""
        moment = func.now() - func.make_interval(0, 0, 0, 0, 0, 0, older_than_s)
        old = (
            select(NotificationRow.id)
            .where(NotificationRow.created_at < moment)
            .order_by(NotificationRow.created_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        deleted = await session.execute(
            delete(NotificationRow)
            .where(NotificationRow.id.in_(old))
            .returning(NotificationRow.id)
        )
        return len(deleted.all())


_NEWEST_FIRST = (
    NotificationRow.user_id,
    NotificationRow.created_at.desc(),
    NotificationRow.id.desc(),
)
"""As the index has it; all rows of one part have the same user, or none."""


def _shown(**flags: ColumnElement[bool]) -> Select[Any]:
    columns = (getattr(NotificationRow, name) for name in _SHOWN)
    return select(*columns, *(flag.label(name) for name, flag in flags.items()))


def _own(user_id: int) -> Select[Any]:
    query = _shown(broadcast=false(), read=NotificationRow.read_at.is_not(None))
    return query.where(NotificationRow.user_id == user_id)


def _of_all(user_id: int, since: datetime | None) -> Select[Any]:
    query = _shown(broadcast=NotificationRow.user_id.is_(None), read=_has_read(user_id))
    return query.where(*_went_to_all(since))


def _went_to_all(since: datetime | None) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = [NotificationRow.user_id.is_(None)]
    if since is not None:
        wanted.append(NotificationRow.created_at >= since)
    return wanted


def _has_read(user_id: int) -> ColumnElement[bool]:
    return (
        select(ReadRow.notification_id)
        .where(ReadRow.user_id == user_id, ReadRow.notification_id == NotificationRow.id)
        .exists()
    )


def _after(query: Select[Any], before: tuple[datetime, UUID] | None) -> Select[Any]:
    if before is None:
        return query
    place = tuple_(NotificationRow.created_at, NotificationRow.id)
    return query.where(place < before)
