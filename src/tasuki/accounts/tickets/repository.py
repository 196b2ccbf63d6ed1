"""SQL for tickets. All times are the database's."""

from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert

from tasuki.accounts.models import TicketRow
from tasuki.core.database import Session


class TicketRepository:
    """Reads and writes tickets within somebody's unit of work."""

    async def add(
        self,
        session: Session,
        token_hash: bytes,
        *,
        user_id: int,
        credential: str,
        lifetime: timedelta,
    ) -> datetime:
        """Insert a ticket and return when it is over."""
        added = await session.execute(
            insert(TicketRow)
            .values(
                token_hash=token_hash,
                user_id=user_id,
                credential=credential,
                expires_at=func.now() + lifetime,
            )
            .returning(TicketRow.expires_at)
        )
        expires_at: datetime = added.scalar_one()
        return expires_at

    async def count(self, session: Session, user_id: int) -> int:
        """Return how many a user holds that are good."""
        query = select(func.count()).where(
            TicketRow.user_id == user_id, TicketRow.expires_at > func.now()
        )
        return int((await session.execute(query)).scalar_one())

    async def take(self, session: Session, token_hash: bytes) -> str | None:
        """Delete a ticket and return the credential it stands for, if it is still good.

        One statement, so of all who try at once the row gives itself to one.
        """
        taken = await session.scalars(
            delete(TicketRow)
            .where(TicketRow.token_hash == token_hash, TicketRow.expires_at > func.now())
            .returning(TicketRow.credential)
        )
        return taken.first()

    async def delete_ended(self, session: Session, *, limit: int) -> int:
        """Delete tickets that nobody used in time; return how many."""
        ended = (
            select(TicketRow.token_hash)
            .where(TicketRow.expires_at <= func.now())
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        query = delete(TicketRow).where(TicketRow.token_hash.in_(ended))
        return len(list(await session.scalars(query.returning(TicketRow.token_hash))))
