"""SQL for the records of messages: order, find, list."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Select, Uuid, any_, func, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY, insert

from tasuki.core.database import Session
from tasuki.mail.models import MailRow, SendingRow
from tasuki.mail.records import MailHandle, MailRecord, MailState, Words

_SHOWN = [name for name in MailRecord.__dataclass_fields__ if name != "subject"]
CANCELLED = "its task is cancelled"
# Holds off other orders of the same user while this one counts theirs.
_QUOTA_LOCK = 0x7A5F


class MailRepository:
    """Reads and writes messages within somebody's unit of work."""

    async def add(
        self, session: Session, values: Mapping[str, Any], *, retry_for_s: float
    ) -> bool:
        """Insert a message; return False when its idempotency key is taken."""
        added = await session.execute(
            insert(MailRow)
            .values(**values, give_up_at=func.now() + timedelta(seconds=retry_for_s))
            .on_conflict_do_nothing()
            .returning(MailRow.id)
        )
        return added.first() is not None

    async def find_by_key(
        self, session: Session, *, owner_id: int | None, key: str
    ) -> tuple[MailHandle, bytes | None] | None:
        """Return the message that holds an idempotency key, with the hash of what it says."""
        found = await session.execute(
            select(MailRow.id, MailRow.task_id, MailRow.args_hash).where(
                MailRow.owner_id.is_not_distinct_from(owner_id), MailRow.idempotency_key == key
            )
        )
        row = found.first()
        if row is None:
            return None
        return MailHandle(id=row.id, task_id=row.task_id, is_new=False), row.args_hash

    async def page(
        self,
        session: Session,
        *,
        owner_id: int | None,
        state: MailState | None,
        single: bool,
        before: UUID | None,
        limit: int,
    ) -> list[MailRecord]:
        """Return messages of a user, the newest first; without a user those of everybody."""
        query = _select().order_by(MailRow.id.desc()).limit(limit)
        if owner_id is not None:
            query = query.where(MailRow.owner_id == owner_id)
        if state is not None:
            query = query.where(MailRow.state == state)
        if single:
            query = query.where(MailRow.batch_id.is_(None))
        if before is not None:
            query = query.where(MailRow.id < before)
        return [MailRecord(**row) for row in (await session.execute(query)).mappings()]

    async def cancel(
        self, session: Session, task_ids: Sequence[UUID], *, retention_s: float
    ) -> None:
        """End single messages that wait for one of these tasks."""
        ending = update(MailRow).where(
            MailRow.batch_id.is_(None),
            MailRow.state.in_(("queued", "deferred")),
            MailRow.task_id == any_(literal(list(task_ids), ARRAY(Uuid))),
        )
        await session.execute(
            ending.values(
                state="cancelled",
                answer=CANCELLED,
                ended_at=func.now(),
                purge_at=func.now() + timedelta(seconds=retention_s),
            )
        )

    async def counts(self, session: Session) -> dict[MailState, int]:
        """Return how many messages are in each state there is one in."""
        counting = select(MailRow.state, func.count()).group_by(MailRow.state)
        found = await session.execute(counting)
        return {cast(MailState, state): number for state, number in found}

    async def hold_quota(self, session: Session, owner_id: int) -> None:
        """Let no other order of this user count until the unit of work ends."""
        key = func.hashtextextended(f"mail-quota:{owner_id}", _QUOTA_LOCK)
        await session.execute(select(func.pg_advisory_xact_lock(key)))

    async def ordered_by(self, session: Session, owner_id: int, *, within: timedelta) -> int:
        """Return how many single messages a user has ordered lately."""
        return await _count(
            session,
            MailRow.owner_id == owner_id,
            MailRow.batch_id.is_(None),
            MailRow.created_at > func.now() - within,
        )

    async def ordered_to(self, session: Session, key: str, *, within: timedelta) -> int:
        """Return how many single messages were ordered to an address lately, by anybody."""
        return await _count(
            session,
            MailRow.recipient_key == key,
            MailRow.batch_id.is_(None),
            MailRow.created_at > func.now() - within,
        )


async def find_mail(
    session: Session, mail_id: UUID, *, owner_id: int | None = None
) -> MailRecord | None:
    """Return a message; with an owner only if it is theirs."""
    query = _select().where(MailRow.id == mail_id)
    if owner_id is not None:
        query = query.where(MailRow.owner_id == owner_id)
    row = (await session.execute(query)).mappings().first()
    return None if row is None else MailRecord(**row)


async def find_words(session: Session, mail_id: UUID) -> Words:
    """Return what a message of its own says."""
    found = await session.execute(
        select(MailRow.subject, MailRow.html, MailRow.text).where(MailRow.id == mail_id)
    )
    row = found.one()
    return Words(subject=row.subject or "", html=row.html, text=row.text)


def _select() -> Select[Any]:
    return select(
        *(getattr(MailRow, name) for name in _SHOWN),
        func.coalesce(MailRow.subject, SendingRow.subject).label("subject"),
    ).outerjoin(SendingRow, SendingRow.id == MailRow.batch_id)


async def _count(session: Session, *conditions: Any) -> int:
    counting = select(func.count()).select_from(MailRow).where(*conditions)
    return await session.scalar(counting) or 0
