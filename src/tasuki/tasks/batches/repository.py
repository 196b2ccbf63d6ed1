"""SQL for the rows that count batches: add, find, cancel."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from tasuki.core.database import Session
from tasuki.tasks.batches.models import BatchRow
from tasuki.tasks.batches.records import BatchRecord

_SHOWN = list(BatchRecord.__dataclass_fields__)


class BatchRepository:
    """Reads and writes batches within somebody's unit of work."""

    async def add(self, session: Session, values: Mapping[str, Any]) -> bool:
        """Insert a batch; return False when its idempotency key is taken."""
        added = await session.execute(
            insert(BatchRow).values(**values).on_conflict_do_nothing().returning(BatchRow.id)
        )
        return added.first() is not None

    async def find(
        self, session: Session, batch_id: UUID, *, owner_id: int | None
    ) -> BatchRecord | None:
        """Return a batch; with an owner only if it is theirs."""
        query = select(*(getattr(BatchRow, name) for name in _SHOWN)).where(
            BatchRow.id == batch_id
        )
        if owner_id is not None:
            query = query.where(BatchRow.owner_id == owner_id)
        row = (await session.execute(query)).mappings().first()
        return None if row is None else BatchRecord(**row)

    async def find_by_key(
        self, session: Session, *, owner_id: int | None, name: str, key: str
    ) -> tuple[UUID, bytes] | None:
        """Return the batch that holds an idempotency key, with the hash of its arguments."""
        found = await session.execute(
            select(BatchRow.id, BatchRow.args_hash).where(
                BatchRow.owner_id.is_not_distinct_from(owner_id),
                BatchRow.name == name,
                BatchRow.idempotency_key == key,
            )
        )
        row = found.first()
        return None if row is None else (row.id, row.args_hash)

    async def note_cancel(self, session: Session, batch_id: UUID) -> None:
        """Note when it was first asked to stop."""
        await session.execute(
            update(BatchRow)
            .where(BatchRow.id == batch_id, BatchRow.cancel_requested_at.is_(None))
            .values(cancel_requested_at=func.now(), version=BatchRow.version + 1)
        )
