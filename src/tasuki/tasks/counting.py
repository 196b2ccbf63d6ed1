"""How batches count: SQL that stands at the end of every statement that changes a task's state.

A batch is one row of counters, so its progress is one read. The counters are changed by the
statement that changes the tasks, hence they are never ahead of them and never behind. Tasks
without a batch cost next to nothing: the parts below then work on no rows.

Everybody locks tasks first and batches after them, and each of the two in the order of the
ids, so that no two statements wait for each other. The one exception is harmless: a statement
that finishes a batch touches the task that follows it, which has neither a batch nor a parent,
so that nobody who holds it waits for anything.
"""

COUNTERS = ("queued", "running", "succeeded", "failed", "cancelled")
"""What a batch counts; the sum is its total."""

TASKS = "tasks"
"""The unit of a batch that counts its tasks; of another, who ordered it counts something else."""

HELD_BACK = "timestamptz '9999-12-31 UTC'"
"""When a task is due that waits for the end of a batch: not before it is let go."""


def counter_of(state: str) -> str:
    """Return SQL for the counter that a task in this state is counted by.

    Args:
        state: SQL for the state.
    """
    return f"""CASE
        WHEN {state} IN ('scheduled', 'queued', 'retrying') THEN 'queued'
        WHEN {state} IN ('running', 'cancelling') THEN 'running'
        WHEN {state} IN ('succeeded', 'cancelled') THEN {state}
        ELSE 'failed' END"""


COUNT_STARTED = """
started AS (
    SELECT batches.id, moved.count
    FROM (SELECT batch_id, count(*) FROM moves GROUP BY batch_id) AS moved
    JOIN batches ON batches.id = moved.batch_id AND batches.unit = 'tasks'
    ORDER BY batches.id
    FOR NO KEY UPDATE OF batches
), counted AS (
    UPDATE batches
    SET queued = queued - started.count, running = running + started.count,
        version = version + 1
    FROM started WHERE batches.id = started.id
)
"""
"""Counts tasks that began, each a row of ``moves(batch_id)``."""


def _change(counter: str, comes_from: str) -> str:
    gained = f"batches.{counter} + left_for.{counter}"
    return f"{gained} - left_for.count" if counter == comes_from else gained


def count_from(comes_from: str, *, unit: str = TASKS) -> str:
    """Return SQL that counts tasks which leave a counter, and ends batches.

    It needs ``moves(batch_id, goes_to)`` and ``:retention_s``; it gives
    ``counted(id, next_id)``, where ``next_id`` is the task that was let go, if any.

    Args:
        comes_from: The counter that all of them leave.
        unit: Only in batches that count this.
    """
    # The rows are locked before they are changed: an UPDATE takes them in an order of its own.
    gained = ", ".join(
        f"count(*) FILTER (WHERE goes_to = '{name}') AS {name}" for name in COUNTERS
    )
    changes = ", ".join(f"{name} = {_change(name, comes_from)}" for name in COUNTERS)
    left = " + ".join(_change(name, comes_from) for name in ("queued", "running"))
    return f"""
left_for AS (
    SELECT batches.id, moved.*
    FROM (SELECT batch_id, count(*), {gained} FROM moves GROUP BY batch_id) AS moved
    JOIN batches ON batches.id = moved.batch_id AND batches.unit = '{unit}'
    ORDER BY batches.id
    FOR NO KEY UPDATE OF batches
), counted AS (
    UPDATE batches
    SET {changes}, version = version + 1,
        finished_at = CASE WHEN {left} = 0 THEN now() END,
        purge_at = CASE WHEN {left} = 0
            THEN now() + CAST(:retention_s AS float8) * interval '1 second' END
    FROM left_for WHERE batches.id = left_for.id
    RETURNING batches.id, CASE WHEN finished_at IS NOT NULL THEN on_complete_id END AS next_id
), let_go AS (
    UPDATE tasks SET available_at = now()
    FROM counted
    WHERE tasks.id = counted.next_id AND state = 'scheduled' AND available_at = {HELD_BACK}
)
"""  # noqa: S608  # put together from constants only
