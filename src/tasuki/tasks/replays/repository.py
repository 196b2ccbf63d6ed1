"""SQL for replays: find what may be ordered again, and copy it."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select, text
from sqlalchemy.orm import aliased

from tasuki.core.database import Session
from tasuki.core.jsontext import dump
from tasuki.tasks.models import TaskRow
from tasuki.tasks.records import TaskRecord
from tasuki.tasks.replays.records import FailureGroup, Failures
from tasuki.tasks.replays.schemas import ReplayWanted
from tasuki.tasks.repository import record_of, select_records

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
    RETURNING id, owner_id
), noted AS (
    INSERT INTO task_events (task_id, seq, type, attempt, data)
    SELECT id, 1, 'queued', 0, '{}' FROM added
)
SELECT owner_id FROM added
""")

_error_type = TaskRow.error["type"].astext
_MOST_COUNTED = 10_000  # tasks that are looked at to be counted: a tenth of a second
_MOST_GROUPS = 100
_MOST_MESSAGE = 500  # characters


class ReplayRepository:
    """Finds and copies tasks within somebody's unit of work."""

    async def copy(
        self,
        session: Session,
        pairs: Sequence[tuple[UUID, UUID]],
        *,
        is_once: bool,
        trace_context: dict[str, str] | None,
    ) -> list[int | None]:
        """Order tasks again, given as (old id, new id); return the owner of each that was.

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
        return list(added.scalars())

    async def count(self, session: Session, wanted: ReplayWanted, *, before: UUID) -> int:
        """Return how many tasks older than one are wanted and were not replayed yet."""
        found = _wanted(wanted).where(TaskRow.id < before).limit(wanted.limit).subquery()
        counted = await session.execute(select(func.count()).select_from(found))
        return int(counted.scalar_one())

    async def find(
        self, session: Session, wanted: ReplayWanted, *, after: UUID, before: UUID, most: int
    ) -> list[UUID]:
        """Return the ids of such tasks, the oldest after one first."""
        query = _wanted(wanted).where(TaskRow.id > after, TaskRow.id < before)
        return list(await session.scalars(query.order_by(TaskRow.id).limit(most)))

    async def page(
        self, session: Session, wanted: ReplayWanted, *, before: UUID | None, limit: int
    ) -> list[TaskRecord]:
        """Return such tasks, newest first, from the one after ``before``."""
        query = _wanted(wanted).order_by(TaskRow.id.desc()).limit(limit)
        if before is not None:
            query = query.where(TaskRow.id < before)
        found = select_records().where(TaskRow.id.in_(query)).order_by(TaskRow.id.desc())
        return [record_of(row) for row in await session.execute(found)]

    async def groups(self, session: Session, wanted: ReplayWanted) -> Failures:
        """Count such tasks by name and error; older ones than the newest 10,000 are left out."""
        alike = (TaskRow.name, TaskRow.state, _error_type)
        newest = _wanted(wanted).order_by(TaskRow.id.desc()).limit(_MOST_COUNTED + 1)
        ranked = (
            select(
                TaskRow.name,
                TaskRow.state,
                _error_type.label("error_type"),
                TaskRow.id.label("last_id"),
                func.left(TaskRow.error["message"].astext, _MOST_MESSAGE).label("last_message"),
                TaskRow.finished_at.label("last_at"),
                func.count().over(partition_by=alike).label("count"),
                func.count().over().label("total"),
                func.row_number()
                .over(partition_by=alike, order_by=TaskRow.id.desc())
                .label("place"),
            )
            .where(TaskRow.id.in_(newest))
            .subquery()
        )
        query = select(ranked).where(ranked.c.place == 1)
        query = query.order_by(ranked.c.count.desc(), ranked.c.last_id.desc())
        rows = (await session.execute(query.limit(_MOST_GROUPS))).mappings().all()
        total = rows[0]["total"] if rows else 0
        names = FailureGroup.__dataclass_fields__
        return Failures(
            items=[FailureGroup(**{name: row[name] for name in names}) for row in rows],
            total=min(total, _MOST_COUNTED),
            is_more=total > _MOST_COUNTED,
        )


def _wanted(wanted: ReplayWanted) -> Select[Any]:
    query = select(TaskRow.id).where(TaskRow.state.in_(wanted.states))
    for column in ("owner_id", "name", "queue", "batch_id"):
        value = getattr(wanted, column)
        if value is not None:
            query = query.where(getattr(TaskRow, column) == value)
    if wanted.error_type is not None:
        query = query.where(_error_type == wanted.error_type)
    if wanted.since is not None:
        query = query.where(TaskRow.finished_at >= wanted.since)
    if wanted.tag is not None:
        query = query.where(TaskRow.tags.contains([wanted.tag]))
    later = aliased(TaskRow)
    return query.where(~select(later.id).where(later.replay_of == TaskRow.id).exists())
