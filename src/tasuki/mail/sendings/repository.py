"""SQL of sendings: order, find, pause, and those they go to."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import exists, func, select, text, update

from tasuki.core.database import Session
from tasuki.core.jsontext import dump
from tasuki.mail.handing.statements import CANCEL
from tasuki.mail.models import MailRow, SendingRow
from tasuki.mail.records import MailState, Recipient, Sending, Words
from tasuki.tasks.batches.models import BatchRow

_SHOWN = [getattr(MailRow, name) for name in Recipient.__dataclass_fields__]
_AT_ONCE = 2_000  # rows of one statement
_ADD_MAILS = text("""
INSERT INTO mails (id, owner_id, batch_id, chunk, task_id, recipient, recipient_key, if_unknown,
                   give_up_at)
SELECT m.id, :owner_id, :batch_id, m.chunk, m.task_id, m.recipient, m.recipient_key, 'leave',
       now() + CAST(:retry_for_s AS float8) * interval '1 second'
FROM jsonb_to_recordset(CAST(:mails AS jsonb)) AS m (
    id uuid, chunk int, task_id uuid, recipient text, recipient_key text)
""")
_CANCEL = text(CANCEL)


class SendingRepository:
    """Reads and writes sendings within somebody's unit of work."""

    async def add(
        self,
        session: Session,
        sending: Mapping[str, Any],
        mails: Sequence[Mapping[str, Any]],
        *,
        retry_for_s: float,
    ) -> None:
        """Insert a sending and the message of each recipient."""
        session.add(SendingRow(**sending))
        await session.flush()
        for start in range(0, len(mails), _AT_ONCE):
            given = {
                "owner_id": sending["owner_id"],
                "batch_id": sending["id"],
                "retry_for_s": retry_for_s,
                "mails": dump(list(mails[start : start + _AT_ONCE])),
            }
            await session.execute(_ADD_MAILS, given)

    async def find(
        self, session: Session, sending_id: UUID, *, owner_id: int | None = None
    ) -> Sending | None:
        """Return a sending; with an owner only if it is theirs."""
        query = select(SendingRow).where(SendingRow.id == sending_id)
        if owner_id is not None:
            query = query.where(SendingRow.owner_id == owner_id)
        row = await session.scalar(query)
        return None if row is None else _sending(row)

    async def page(
        self, session: Session, *, owner_id: int | None, before: UUID | None, limit: int
    ) -> list[Sending]:
        """Return sendings, the newest first; without an owner those of everybody."""
        # Its numbers may be purged a moment before its words are.
        is_counted = exists().where(BatchRow.id == SendingRow.id)
        query = select(SendingRow).where(is_counted).order_by(SendingRow.id.desc()).limit(limit)
        if owner_id is not None:
            query = query.where(SendingRow.owner_id == owner_id)
        if before is not None:
            query = query.where(SendingRow.id < before)
        return [_sending(row) for row in await session.scalars(query)]

    async def chunks(self, session: Session, sending_id: UUID) -> list[tuple[str, UUID]]:
        """Return each recipient with the task of its chunk, in the order they were given."""
        found = await session.execute(
            select(MailRow.recipient, MailRow.task_id)
            .where(MailRow.batch_id == sending_id)
            .order_by(MailRow.id)
        )
        return [(row.recipient, row.task_id) for row in found]

    async def recipients(
        self,
        session: Session,
        sending_id: UUID,
        *,
        state: MailState | None,
        after: UUID | None,
        limit: int,
    ) -> list[Recipient]:
        """Return those a sending goes to, in the order they were given."""
        query = (
            select(*_SHOWN).where(MailRow.batch_id == sending_id).order_by(MailRow.id).limit(limit)
        )
        if state is not None:
            query = query.where(MailRow.state == state)
        if after is not None:
            query = query.where(MailRow.id > after)
        return [Recipient(**row) for row in (await session.execute(query)).mappings()]

    async def pause(self, session: Session, sending_id: UUID, *, is_paused: bool) -> None:
        """Pause a sending, or let it go on; either twice is fine."""
        at = func.coalesce(SendingRow.paused_at, func.now()) if is_paused else None
        await session.execute(
            update(SendingRow).where(SendingRow.id == sending_id).values(paused_at=at)
        )

    async def cancel(self, session: Session, sending_id: UUID, *, retention_s: float) -> None:
        """End the messages that wait."""
        await session.execute(_CANCEL, {"batch_id": sending_id, "retention_s": retention_s})

    async def recipients_of_user(
        self, session: Session, owner_id: int, *, within: timedelta
    ) -> int:
        """Return to how many a user has sent lately, all sendings together."""
        counting = (
            select(func.count())
            .select_from(MailRow)
            .where(
                MailRow.owner_id == owner_id,
                MailRow.batch_id.is_not(None),
                MailRow.created_at > func.now() - within,
            )
        )
        return await session.scalar(counting) or 0


def _sending(row: SendingRow) -> Sending:
    return Sending(
        id=row.id,
        owner_id=row.owner_id,
        words=Words(subject=row.subject, html=row.html, text=row.text),
        link_base=row.link_base,
        created_at=row.created_at,
        paused_at=row.paused_at,
    )
