"""SQL for the records of tasks: order, find, list, cancel. The workers' SQL is in ``engine``."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, TextClause, func, select, text

from tasuki.core.database import Database, Session
from tasuki.core.jsontext import dump
from tasuki.tasks.artifacts import Artifact
from tasuki.tasks.counting import HELD_BACK, count_from
from tasuki.tasks.models import ArtifactRow, EpochRow, TaskEventRow, TaskRow
from tasuki.tasks.records import Moved, Order, TaskEvent, TaskFilter, TaskHandle, TaskRecord
from tasuki.tasks.states import State

_EQUAL = ("owner_id", "state", "name", "queue", "batch_id", "parent_id", "replay_of")
_SHOWN = [name for name in TaskRecord.__dataclass_fields__ if name not in {"state", "artifact"}]

# All rows by one statement of plain text: every order waits for this one, and building it
# from the models took longer than all else that an order takes.
_ADD = text(f"""
WITH given AS (
    SELECT o.* FROM jsonb_array_elements(CAST(:orders AS jsonb)) AS one (own),
    jsonb_to_record(CAST(:common AS jsonb) || one.own) AS o (
        id uuid, owner_id bigint, parent_id uuid, batch_id uuid, name text, queue text,
        lane text, args jsonb, args_hash text, priority int, delay_s float8, lifetime_s float8,
        timeout_s float8, max_attempts int, max_crashes int, idempotency_key text,
        unique_key text, tags text[], trace_context jsonb, is_held_back boolean)
), added AS (
    INSERT INTO tasks (
        id, owner_id, parent_id, batch_id, name, queue, lane, state, args, args_hash, priority,
        timeout_s, max_attempts, max_crashes, idempotency_key, unique_key, tags, trace_context,
        event_seq, available_at, expires_at, queued_at)
    SELECT id, owner_id, parent_id, batch_id, name, queue, lane,
           CASE WHEN is_held_back OR delay_s > 0 THEN 'scheduled' ELSE 'queued' END,
           args, decode(args_hash, 'hex'), priority, timeout_s, max_attempts, max_crashes,
           idempotency_key, unique_key, tags, trace_context, 1,
           CASE WHEN is_held_back THEN {HELD_BACK}
                ELSE now() + coalesce(delay_s, 0) * interval '1 second' END,
           now() + lifetime_s * interval '1 second',
           CASE WHEN is_held_back OR delay_s > 0 THEN NULL ELSE now() END
    FROM given
    ON CONFLICT DO NOTHING
    RETURNING id, state
), noted AS (
    INSERT INTO task_events (task_id, seq, type, attempt, data)
    SELECT id, 1, state, 0, '{{}}' FROM added
)
SELECT id, state FROM added
""")  # noqa: S608  # put together from constants only

# The children of a task, and theirs, are found through all states: one that ended may have
# left some that did not.
_CANCEL = """
WITH RECURSIVE family (id) AS (
    SELECT id FROM tasks WHERE {roots}
    UNION
    SELECT tasks.id FROM tasks JOIN family ON tasks.parent_id = family.id
), found AS (
    SELECT id, state FROM tasks
    WHERE id IN (SELECT id FROM family)
      AND state IN ('scheduled', 'queued', 'retrying', 'running')
    ORDER BY id
    FOR UPDATE
), stopped AS (
    UPDATE tasks
    SET cancel_requested_at = now(), event_seq = event_seq + 1,
        state = CASE WHEN found.state = 'running' THEN 'cancelling' ELSE 'cancelled' END,
        error = CASE WHEN found.state = 'running' THEN error ELSE CAST(:error AS jsonb) END,
        finished_at = CASE WHEN found.state = 'running' THEN NULL ELSE now() END,
        purge_at = CASE WHEN found.state = 'running' THEN NULL
            ELSE now() + CAST(:retention_s AS float8) * interval '1 second' END
    FROM found WHERE tasks.id = found.id
    RETURNING tasks.id, tasks.state, attempt, event_seq, error, owner_id, batch_id
), noted AS (
    INSERT INTO task_events (task_id, seq, type, attempt, data)
    SELECT id, event_seq, state, attempt,
           CASE WHEN state = 'cancelled' THEN jsonb_build_object('error', error)
                ELSE '{{}}'::jsonb END
    FROM stopped
), moves AS (
    SELECT batch_id, 'cancelled' AS goes_to
    FROM stopped WHERE state = 'cancelled' AND batch_id IS NOT NULL
), {count}
SELECT id, state, owner_id, batch_id,
       (SELECT next_id FROM counted WHERE counted.id = stopped.batch_id) AS next_id
FROM stopped
"""
_CANCEL_TASK = text(_CANCEL.format(roots="id = :id", count=count_from("queued")))
_CANCEL_BATCH = text(_CANCEL.format(roots="batch_id = :id", count=count_from("queued")))
_HURRY_BATCH = text(f"""
UPDATE tasks SET available_at = now()
WHERE id IN (
    SELECT id FROM tasks
    WHERE batch_id = :id AND state = 'scheduled' AND available_at < {HELD_BACK}
    ORDER BY id FOR UPDATE)
""")  # noqa: S608  # put together from constants only
_CANCELLED = dump(
    {
        "kind": "cancelled",
        "type": "Cancelled",
        "message": "Cancelled before a worker took it.",
        "retryable": False,
    }
)


class TaskRepository:
    """Reads and writes task records within somebody's unit of work."""

    async def add(
        self, session: Session, common: Mapping[str, Any], orders: Sequence[Order]
    ) -> dict[UUID, State]:
        """Insert tasks with their first events, all by one statement.

        Args:
            common: The columns they share, as of `TaskService.columns`.

        Returns:
            Those that were inserted; not one that carries a key which is taken.
        """
        added = await session.execute(_ADD, _added(common, orders))
        return _states(added.mappings())

    async def add_at_once(self, database: Database, orders: Sequence[Order]) -> dict[UUID, State]:
        """Do as `add` with tasks that share nothing, in a transaction of their own."""
        return _states(await database.run(_ADD, _added({}, orders)))

    async def find_by_key(
        self, session: Session, *, owner_id: int | None, name: str, key: str
    ) -> tuple[TaskHandle, bytes] | None:
        """Return the task that holds an idempotency key, with the hash of its arguments."""
        found = await session.execute(
            select(TaskRow.id, TaskRow.state, TaskRow.args_hash).where(
                TaskRow.owner_id.is_not_distinct_from(owner_id),
                TaskRow.name == name,
                TaskRow.idempotency_key == key,
            )
        )
        row = found.first()
        if row is None:
            return None
        return TaskHandle(id=row.id, state=State(row.state), is_new=False), row.args_hash

    async def find(
        self, session: Session, task_id: UUID, *, owner_id: int | None
    ) -> TaskRecord | None:
        """Return a task; with an owner only if it is theirs."""
        query = select_records().where(TaskRow.id == task_id)
        if owner_id is not None:
            query = query.where(TaskRow.owner_id == owner_id)
        row = (await session.execute(query)).first()
        return None if row is None else record_of(row)

    async def find_by_unique_key(
        self, session: Session, key: str, *, owner_id: int | None
    ) -> TaskRecord | None:
        """Return the newest task that was ordered with a unique key, ended or not."""
        query = (
            select_records().where(TaskRow.unique_key == key).order_by(TaskRow.id.desc()).limit(1)
        )
        if owner_id is not None:
            query = query.where(TaskRow.owner_id == owner_id)
        row = (await session.execute(query)).first()
        return None if row is None else record_of(row)

    async def page(
        self, session: Session, wanted: TaskFilter, *, before: UUID | None, limit: int
    ) -> list[TaskRecord]:
        """Return tasks, newest first, from the one after ``before``."""
        query = select_records().order_by(TaskRow.id.desc()).limit(limit)
        for column in _EQUAL:
            value = getattr(wanted, column)
            if value is not None:
                query = query.where(getattr(TaskRow, column) == value)
        if wanted.tag is not None:
            query = query.where(TaskRow.tags.contains([wanted.tag]))
        if before is not None:
            query = query.where(TaskRow.id < before)
        return [record_of(row) for row in await session.execute(query)]

    async def hold(self, session: Session, task_id: UUID, *, token: UUID) -> State | None:
        """Return the state of a task that a lease holds, and keep it from being cancelled.

        Others may renew the lease and add events meanwhile.
        """
        held = await session.execute(
            select(TaskRow.state)
            .where(TaskRow.id == task_id, TaskRow.lease_token == token)
            .with_for_update(read=True, key_share=True)
        )
        state = held.scalar_one_or_none()
        return None if state is None else State(state)

    async def cancel(self, session: Session, task_id: UUID, *, retention_s: float) -> list[Moved]:
        """Cancel a task and all that descends from it, as far as they have not ended.

        Returns:
            What waited and has ended, and what runs and was asked to stop; nothing of what
            was asked before.
        """
        return await _cancel(session, _CANCEL_TASK, task_id, retention_s)

    async def cancel_batch(
        self, session: Session, batch_id: UUID, *, retention_s: float
    ) -> list[Moved]:
        """Cancel all tasks of a batch and all that descends from them; see `cancel`."""
        return await _cancel(session, _CANCEL_BATCH, batch_id, retention_s)

    async def hurry_batch(self, session: Session, batch_id: UUID) -> None:
        """Make tasks of a batch due that wait for a time, not for the end of another batch."""
        await session.execute(_HURRY_BATCH, {"id": batch_id})

    async def events_after(
        self, session: Session, task_id: UUID, seq: int, *, limit: int
    ) -> list[TaskEvent]:
        """Return the events that follow a position, in order."""
        query = (
            select(TaskEventRow)
            .where(TaskEventRow.task_id == task_id, TaskEventRow.seq > seq)
            .order_by(TaskEventRow.seq)
            .limit(limit)
        )
        return [
            TaskEvent(
                task_id=row.task_id,
                seq=row.seq,
                type=row.type,
                at=row.at,
                attempt=row.attempt,
                data=row.data,
            )
            for row in await session.scalars(query)
        ]

    async def now(self, session: Session) -> datetime:
        """Return the database's time, the one clock that all processes share."""
        moment: datetime = (await session.execute(select(func.now()))).scalar_one()
        return moment

    async def epoch(self, session: Session) -> str:
        """Return the name of this database's history of events."""
        return str((await session.execute(select(EpochRow.epoch))).scalar_one())


def _added(common: Mapping[str, Any], orders: Sequence[Order]) -> dict[str, str]:
    return {"common": dump(common), "orders": f"[{','.join(order.text() for order in orders)}]"}


def _states(rows: Iterable[Any]) -> dict[UUID, State]:
    return {row["id"]: State(row["state"]) for row in rows}


async def _cancel(
    session: Session, statement: TextClause, root: UUID, retention_s: float
) -> list[Moved]:
    """Cancel until there is nothing left.

    While a statement waits for the rows it found, one that runs may leave another child. None
    that it has changed can do so: to add a child a task must still be running.
    """
    cancelled: list[Moved] = []
    given = {"id": root, "error": _CANCELLED, "retention_s": retention_s}
    is_running = True
    while is_running:
        rows = (await session.execute(statement, given)).mappings()
        found = [Moved(**{**row, "state": State(row["state"])}) for row in rows]
        cancelled += found
        is_running = any(task.state is State.CANCELLING for task in found)
    return cancelled


def select_records() -> Select[Any]:
    """Return the query that gives what `record_of` takes."""
    return select(
        TaskRow.state,
        *(getattr(TaskRow, name) for name in _SHOWN),
        ArtifactRow.id.label("file_id"),
        ArtifactRow.name.label("file_name"),
        ArtifactRow.media_type.label("file_type"),
        ArtifactRow.size_bytes,
        ArtifactRow.sha256,
    ).outerjoin(ArtifactRow, ArtifactRow.id == TaskRow.artifact_id)


def record_of(row: Any) -> TaskRecord:
    """Return a row of `select_records` as a record."""
    artifact = None
    if row.file_id is not None:
        artifact = Artifact(
            id=row.file_id,
            name=row.file_name,
            media_type=row.file_type,
            size_bytes=row.size_bytes,
            sha256=row.sha256,
        )
    shown = {name: getattr(row, name) for name in _SHOWN}
    return TaskRecord(**shown, state=State(row.state), artifact=artifact)
