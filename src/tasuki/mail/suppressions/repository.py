"""SQL of suppressions, and of the key that signs links."""

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from tasuki.core.database import Session
from tasuki.mail.models import LinkKeyRow, SuppressionRow
from tasuki.mail.records import Reason, Suppression

_SHOWN = [getattr(SuppressionRow, name) for name in Suppression.__dataclass_fields__]


class SuppressionRepository:
    """Reads and writes suppressions within somebody's unit of work."""

    async def add(
        self, session: Session, *, key: str, address: str, reason: Reason, detail: str
    ) -> bool:
        """Suppress an address; return False when it is already.

        A reason that keeps back more wins over that somebody unsubscribed.
        """
        adding = insert(SuppressionRow).values(
            address_key=key, address=address, reason=reason, detail=detail
        )
        added = await session.execute(
            adding.on_conflict_do_update(
                index_elements=[SuppressionRow.address_key],
                set_={"reason": adding.excluded.reason, "detail": adding.excluded.detail},
                where=(SuppressionRow.reason == "unsubscribed")
                & (adding.excluded.reason != "unsubscribed"),
            ).returning(SuppressionRow.address_key)
        )
        return added.first() is not None

    async def find(self, session: Session, key: str) -> Suppression | None:
        """Return the suppression of an address, if it is suppressed."""
        found = await session.execute(select(*_SHOWN).where(SuppressionRow.address_key == key))
        row = found.mappings().first()
        return None if row is None else Suppression(**row)

    async def remove(self, session: Session, key: str) -> bool:
        """Write to an address again; return whether it was suppressed."""
        removed = await session.execute(
            delete(SuppressionRow)
            .where(SuppressionRow.address_key == key)
            .returning(SuppressionRow.address_key)
        )
        return removed.first() is not None

    async def page(
        self, session: Session, *, after: str | None, starts_with: str, limit: int
    ) -> list[Suppression]:
        """Return suppressions in the order of their addresses."""
        query = select(*_SHOWN).order_by(SuppressionRow.address_key).limit(limit)
        if after is not None:
            query = query.where(SuppressionRow.address_key > after)
        if starts_with:
            query = query.where(
                SuppressionRow.address_key.startswith(starts_with, autoescape=True)
            )
        return [Suppression(**row) for row in (await session.execute(query)).mappings()]

    async def link_key(self, session: Session) -> str:
        """Return the key that signs links where the settings have none."""
        return str(await session.scalar(select(LinkKeyRow.key)))
