"""SQL for caught mails."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, insert, select

from tasuki.core.database import Session
from tasuki.mail.catching.records import CaughtMail
from tasuki.mail.models import CaughtMailRow

_SHOWN = (
    CaughtMailRow.id,
    CaughtMailRow.sender,
    CaughtMailRow.recipients,
    CaughtMailRow.subject,
    func.octet_length(CaughtMailRow.content).label("size_bytes"),
    CaughtMailRow.received_at,
)


class CaughtMailRepository:
    """Reads and writes caught mails within somebody's unit of work."""

    async def add(
        self,
        session: Session,
        mail_id: UUID,
        *,
        sender: str,
        recipients: Sequence[str],
        subject: str,
        content: bytes,
    ) -> None:
        """Keep a mail."""
        await session.execute(
            insert(CaughtMailRow).values(
                id=mail_id,
                sender=sender,
                recipients=list(recipients),
                subject=subject,
                content=content,
            )
        )

    async def keep_newest(self, session: Session, count: int) -> None:
        """Delete all but the newest."""
        oldest = select(CaughtMailRow.id).order_by(CaughtMailRow.id.desc()).offset(count).limit(1)
        await session.execute(
            delete(CaughtMailRow).where(CaughtMailRow.id <= oldest.scalar_subquery())
        )

    async def page(
        self, session: Session, *, recipient: str, before: UUID | None, limit: int
    ) -> list[CaughtMail]:
        """Return mails, the newest first.

        Args:
            recipient: A part of an address of theirs; empty: any.
        """
        query = select(*_SHOWN).order_by(CaughtMailRow.id.desc()).limit(limit)
        if before is not None:
            query = query.where(CaughtMailRow.id < before)
        if recipient:
            addresses: Any = func.array_to_string(CaughtMailRow.recipients, "\n")
            query = query.where(addresses.icontains(recipient, autoescape=True))
        return [CaughtMail(**row) for row in (await session.execute(query)).mappings()]

    async def find(self, session: Session, mail_id: UUID) -> tuple[CaughtMail, bytes] | None:
        """Return a mail and its whole message."""
        query = select(*_SHOWN, CaughtMailRow.content).where(CaughtMailRow.id == mail_id)
        row = (await session.execute(query)).mappings().first()
        if row is None:
            return None
        shown = dict(row)
        content: bytes = shown.pop("content")
        return CaughtMail(**shown), content

    async def clear(self, session: Session) -> None:
        """Delete all."""
        await session.execute(delete(CaughtMailRow))
