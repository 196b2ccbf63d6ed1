"""SQL for publications that wait for the broker."""

from collections.abc import Sequence

from sqlalchemy import delete, func, insert, select

from tasuki.core.database import Session
from tasuki.realtime.channels import Publication
from tasuki.realtime.models import OutboxRow

_RELAY_LOCK = 0x7A5B_0B0C  # any number that nobody else takes


class OutboxRepository:
    """Reads and writes the outbox within somebody's unit of work."""

    async def add(self, session: Session, publication: Publication) -> None:
        """Note what is to be published."""
        await session.execute(
            insert(OutboxRow).values(
                channel=publication.channel,
                type=publication.type,
                data=publication.data,
                at=publication.at,
                key=publication.key,
            )
        )

    async def hold(self, session: Session) -> bool:
        """Whether nobody else empties the outbox until this unit of work ends.

        Two at once would publish a channel's events in another order than they were written.
        """
        held = await session.execute(select(func.pg_try_advisory_xact_lock(_RELAY_LOCK)))
        return bool(held.scalar_one())

    async def oldest(self, session: Session, *, most: int) -> list[tuple[int, Publication]]:
        """Return what waits, in the order it was written."""
        rows = await session.scalars(select(OutboxRow).order_by(OutboxRow.id).limit(most))
        return [
            (row.id, Publication(row.channel, row.type, row.data, row.at, key=row.key))
            for row in rows
        ]

    async def remove(self, session: Session, ids: Sequence[int]) -> None:
        """Forget what was published."""
        await session.execute(delete(OutboxRow).where(OutboxRow.id.in_(ids)))
