"""SQL for those who look on: what stands where, what happened, which workers live.

Unfinished tasks are found by the indexes that the engine uses; nothing here reads the tasks
that have ended, of which there may be millions.
"""

from functools import cache
from typing import Any

from sqlalchemy import TextClause, text

from tasuki.core.database import Database
from tasuki.tasks.observing.records import Count, Ended, HeldTask, Standing, WorkerRecord

_STANDING = """
SELECT name, queue, lane, state, count(*) AS count,
       count(*) FILTER (WHERE available_at <= now()) AS due,
       CAST(max(extract(epoch FROM now() - available_at))
            FILTER (WHERE available_at <= now() AND rung_at IS NULL) AS float8) AS unrung_s,
       CAST(max(extract(epoch FROM now() - available_at))
            FILTER (WHERE available_at <= now() AND rung_at IS NOT NULL) AS float8) AS untaken_s
FROM tasks WHERE state IN ('scheduled', 'queued', 'retrying') GROUP BY name, queue, lane, state
UNION ALL
SELECT name, queue, lane, state, count(*), 0, NULL, NULL
FROM tasks WHERE state IN ('running', 'cancelling') GROUP BY name, queue, lane, state
"""

_ENDED = """
SELECT queue, lane, count(*) AS count,
       count(*) FILTER (WHERE state IN ('failed', 'timed_out', 'crashed')) AS failed FROM tasks
WHERE finished_at > now() - CAST(:within_s AS float8) * interval '1 second'
GROUP BY queue, lane
"""

# Several may count at once: each takes lines that no other holds, and all change the counters
# in the same order. A bound is the lowest that is not below the value.
_COUNT = """
WITH taken AS (
    DELETE FROM task_uncounted WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM task_uncounted LIMIT :most FOR UPDATE SKIP LOCKED))
    RETURNING name, what, wait_s, run_s
), measured AS (
    SELECT name, 'wait' AS what, wait_s AS value FROM taken WHERE wait_s IS NOT NULL
    UNION ALL
    SELECT name, 'run', run_s FROM taken WHERE run_s IS NOT NULL
), told AS (
    SELECT name, what, float8 'infinity' AS bound, float8 '1' AS value FROM taken
    UNION ALL
    SELECT name, what, (SELECT min(bound) FROM unnest(CAST(:bounds AS float8[])) AS b (bound)
                        WHERE bound >= value), 1 FROM measured
    UNION ALL
    SELECT name, what || '_sum', float8 'infinity', value FROM measured
), counted AS (
    INSERT INTO task_counts AS c (name, what, bound, value)
    SELECT name, what, bound, sum(value) FROM told
    GROUP BY name, what, bound ORDER BY name, what, bound
    ON CONFLICT (name, what, bound) DO UPDATE SET value = c.value + excluded.value
)
SELECT count(*) AS count FROM taken
"""

_COUNTS = "SELECT name, what, bound, value FROM task_counts ORDER BY name, what, bound"

# A child of the cpu lane holds its leases in the name of its worker, with its own number after.
_WORKERS = """
SELECT name, workers.lane, host, pid, concurrency, coalesce(running, 0) AS running,
       started_at, seen_at
FROM workers LEFT JOIN (
    SELECT split_part(lease_owner, '/', 1) AS owner, count(*) AS running
    FROM tasks WHERE state IN ('running', 'cancelling') GROUP BY 1) AS held ON owner = name
WHERE (seen_at > now() - CAST(:alive_s AS float8) * interval '1 second') = :is_alive
  AND seen_at > now() - interval '1 hour'
ORDER BY workers.lane, host, pid
"""

_HELD = """
SELECT worker, id, name, started_at FROM (
    SELECT split_part(lease_owner, '/', 1) AS worker, id, name, started_at,
           row_number() OVER (PARTITION BY split_part(lease_owner, '/', 1)
                              ORDER BY started_at, id) AS place
    FROM tasks WHERE state IN ('running', 'cancelling')) AS held
WHERE place <= :most ORDER BY worker, place
"""

_BEAT = """
WITH forgotten AS (
    DELETE FROM workers WHERE seen_at < now() - interval '1 day' AND name <> :name
)
INSERT INTO workers (name, lane, host, pid, concurrency)
VALUES (:name, :lane, :host, :pid, :concurrency)
ON CONFLICT (name) DO UPDATE
SET seen_at = now(), concurrency = excluded.concurrency,
    started_at = CASE WHEN :is_first THEN now() ELSE workers.started_at END
RETURNING name
"""

_LEAVE = "DELETE FROM workers WHERE name = :name RETURNING name"

BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600, float("inf"))
"""Bounds of the histograms, in seconds. Add to them, and what was counted stays true."""

_MOST_AT_ONCE = 5_000  # lines of one transaction


class ObservingRepository:
    """Reads what stands in one database; each method is a transaction of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def standing(self) -> list[Standing]:
        """Return the unfinished tasks, grouped."""
        return [Standing(**row) for row in await self._run(_STANDING)]

    async def ended(self, *, within_s: float) -> list[Ended]:
        """Return how many tasks ended in the last seconds."""
        return [Ended(**row) for row in await self._run(_ENDED, within_s=within_s)]

    async def count(self) -> None:
        """Count what happened since somebody last did; safe in several processes at once."""
        found = _MOST_AT_ONCE
        while found == _MOST_AT_ONCE:
            rows = await self._run(_COUNT, most=_MOST_AT_ONCE, bounds=list(BOUNDS))
            found = rows[0]["count"]

    async def counts(self) -> list[Count]:
        """Return all that was counted."""
        return [Count(**row) for row in await self._run(_COUNTS)]

    async def workers(self, *, alive_s: float, is_alive: bool = True) -> list[WorkerRecord]:
        """Return the workers that said in the last seconds that they live.

        Args:
            is_alive: False for those that did not, but did within the last hour; a worker that
                stopped in good order is not among them.
        """
        rows = await self._run(_WORKERS, alive_s=alive_s, is_alive=is_alive)
        return [WorkerRecord(**row) for row in rows]

    async def held(self, *, most: int) -> list[HeldTask]:
        """Return what workers hold, of each the tasks that it has held longest."""
        return [HeldTask(**row) for row in await self._run(_HELD, most=most)]

    async def beat(
        self, *, name: str, lane: str, host: str, pid: int, concurrency: int, is_first: bool
    ) -> None:
        """Say that a worker lives, and forget those that have been silent for a day."""
        await self._run(
            _BEAT,
            name=name,
            lane=lane,
            host=host,
            pid=pid,
            concurrency=concurrency,
            is_first=is_first,
        )

    async def leave(self, name: str) -> None:
        """Say that a worker stopped."""
        await self._run(_LEAVE, name=name)

    async def _run(self, statement: str, **parameters: Any) -> list[dict[str, Any]]:
        rows = await self._database.run(_prepared(statement), parameters)
        return [dict(row) for row in rows]


@cache
def _prepared(statement: str) -> TextClause:
    return text(statement)
