"""SQL for batches: order many tasks at once, find, cancel."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from tasuki.core.database import Session
from tasuki.core.jsontext import dump
from tasuki.tasks.batches.models import BatchRow
from tasuki.tasks.batches.records import BatchRecord
from tasuki.tasks.counting import HELD_BACK

_SHOWN = list(BatchRecord.__dataclass_fields__)

_ADD_TASKS = text(f"""
WITH given AS (
    SELECT * FROM jsonb_to_recordset(CAST(:orders AS jsonb)) AS o (id uuid, args jsonb, hash text)
), added AS (
    INSERT INTO tasks (
        id, owner_id, batch_id, name, queue, lane, state, args, args_hash, priority, timeout_s,
        max_attempts, max_crashes, tags, trace_context, event_seq, available_at, expires_at,
        queued_at)
    SELECT id, :owner_id, CAST(:batch_id AS uuid), :name, :queue, :lane, :state, args,
           decode(hash, 'hex'), :priority, :timeout_s, :max_attempts, :max_crashes,
           CAST(:tags AS text[]), CAST(:trace_context AS jsonb), 1,
           CASE WHEN :is_held_back THEN {HELD_BACK}
                ELSE now() + coalesce(CAST(:delay AS interval), interval '0') END,
           now() + CAST(:lifetime AS interval),
           CASE WHEN :state = 'queued' THEN now() END
    FROM given
    RETURNING id, state
)
INSERT INTO task_events (task_id, seq, type, attempt, data)
SELECT id, 1, state, 0, '{{}}' FROM added
""")  # noqa: S608  # put together from constants only


class BatchRepository:
    """Reads and writes batches within somebody's unit of work."""

    async def add(self, session: Session, values: Mapping[str, Any]) -> bool:
        """Insert a batch; return False when its idempotency key is taken."""
        added = await session.execute(
            insert(BatchRow).values(**values).on_conflict_do_nothing().returning(BatchRow.id)
        )
        return added.first() is not None

    async def add_tasks(
        self,
        session: Session,
        columns: Mapping[str, Any],
        orders: Sequence[tuple[UUID, str, bytes]],
        *,
        batch_id: UUID | None,
        is_held_back: bool = False,
    ) -> None:
        """Insert tasks with their first events, all by one statement.

        Args:
            columns: What they have in common, as of `TaskService.columns`.
            orders: The id, the arguments as JSON text and their hash, of each.
            is_held_back: They are not due until the end of a batch lets them go.
        """
        rows = ",".join(
            f'{{"id":"{task_id}","args":{args},"hash":"{args_hash.hex()}"}}'
            for task_id, args, args_hash in orders
        )
        remembered = columns["trace_context"]
        await session.execute(
            _ADD_TASKS,
            {
                **columns,
                "orders": f"[{rows}]",
                "batch_id": batch_id,
                "state": "scheduled" if is_held_back or columns["delay"] else "queued",
                "is_held_back": is_held_back,
                "trace_context": remembered and dump(remembered),
            },
        )

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
