"""SQL for replays: find what may be ordered again, and copy it."""

from collections.abc import Sequence
from typing import Any, get_args
from uuid import UUID

from sqlalchemy import Select, func, select, text
from sqlalchemy.orm import aliased

from tasuki.core.database import Session
from tasuki.core.jsontext import dump
from tasuki.tasks.models import TaskRow
from tasuki.tasks.replays.schemas import Replayable, ReplayWanted

# Whatever came of the first is not copied, nor is its batch, which has been counted to its end.
_COPY = text("""
WITH pairs AS (
    SELECT * FROM unnest(CAST(:old_ids AS uuid[]), CAST(:new_ids AS uuid[])) AS p (old_id, new_id)
), added AS (
    INSERT INTO tasks (
        id, replay_of, owner_id, name, queue, lane, state, args, args_hash, priority, timeout_s,
        max_attempts, max_crashes, idempotency_key, unique_key, tags, trace_context, event_seq,
        available_at, queued_at)
    SELECT new_id, id, owner_id, name, queue, lane, 'queued', args, args_hash, priority,
           timeout_s, max_attempts, max_crashes,
           CASE WHEN CAST(:is_once AS boolean) THEN 'replay:' || id END, unique_key, tags,
           CAST(:trace_context AS jsonb), 1, now(), now()
    FROM pairs JOIN tasks ON tasks.id = pairs.old_id
    ON CONFLICT DO NOTHING
    RETURNING id
)
INSERT INTO task_events (task_id, seq, type, attempt, data)
SELECT id, 1, 'queued', 0, '{}' FROM added
RETURNING task_id
""")


class ReplayRepository:
    """Finds and copies tasks within somebody's unit of work."""

    async def copy(
        self,
        session: Session,
        pairs: Sequence[tuple[UUID, UUID]],
        *,
        is_once: bool,
        trace_context: dict[str, str] | None,
    ) -> int:
        """Order tasks again, given as (old id, new id); return how many were.

        Args:
            is_once: Not a second time, whoever else does the same at this moment.
        """
        added = await session.execute(
            _COPY,
            {
                "old_ids": [old_id for old_id, _ in pairs],
                "new_ids": [new_id for _, new_id in pairs],
                "is_once": is_once,
                "trace_context": trace_context and dump(trace_context),
            },
        )
        return len(added.all())

    async def count(self, session: Session, wanted: ReplayWanted, *, before: UUID) -> int:
        """Return how many tasks older than one are wanted and were not replayed yet."""
        found = _wanted(wanted, before).limit(wanted.limit).subquery()
        counted = await session.execute(select(func.count()).select_from(found))
        return int(counted.scalar_one())

    async def find(
        self, session: Session, wanted: ReplayWanted, *, after: UUID, before: UUID, most: int
    ) -> list[UUID]:
        """Return the ids of such tasks, the oldest after one first."""
        query = _wanted(wanted, before).where(TaskRow.id > after).order_by(TaskRow.id)
        return list(await session.scalars(query.limit(most)))


def _wanted(wanted: ReplayWanted, before: UUID) -> Select[Any]:
    states = [wanted.state] if wanted.state else list(get_args(Replayable))
    query = select(TaskRow.id).where(TaskRow.state.in_(states), TaskRow.id < before)
    for column in ("owner_id", "name", "queue", "batch_id"):
        value = getattr(wanted, column)
        if value is not None:
            query = query.where(getattr(TaskRow, column) == value)
    if wanted.tag is not None:
        query = query.where(TaskRow.tags.contains([wanted.tag]))
    later = aliased(TaskRow)
    return query.where(~select(later.id).where(later.replay_of == TaskRow.id).exists())
