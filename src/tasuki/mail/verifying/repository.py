"""SQL of links that show who reads an address."""

from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert

from tasuki.core.database import Session
from tasuki.mail.models import MailRow, VerificationRow

KEYS = "verify:"
"""How the idempotency keys of these mails begin."""


class VerificationRepository:
    """Reads and writes links within somebody's unit of work."""

    async def put(
        self,
        session: Session,
        user_id: int,
        *,
        token_hash: bytes,
        address: str,
        lifetime: timedelta,
    ) -> None:
        """Keep a link in place of the user's earlier one; others of theirs wait meanwhile."""
        values = {
            "token_hash": token_hash,
            "address": address,
            "expires_at": func.now() + lifetime,
        }
        await session.execute(
            insert(VerificationRow)
            .values(user_id=user_id, **values)
            .on_conflict_do_update(index_elements=[VerificationRow.user_id], set_=values)
        )

    async def sent(self, session: Session, user_id: int, *, within: timedelta) -> int:
        """Return how many links a user was sent lately."""
        query = select(func.count()).where(
            MailRow.owner_id == user_id,
            MailRow.idempotency_key.startswith(KEYS),
            MailRow.created_at > func.now() - within,
        )
        return int((await session.execute(query)).scalar_one())

    async def take(self, session: Session, token_hash: bytes) -> tuple[int, str] | None:
        """Use a link up; return whose it was and for which address, if it was good."""
        taken = await session.execute(
            delete(VerificationRow)
            .where(
                VerificationRow.token_hash == token_hash,
                VerificationRow.expires_at > func.now(),
            )
            .returning(VerificationRow.user_id, VerificationRow.address)
        )
        row = taken.first()
        return None if row is None else (row.user_id, row.address)
