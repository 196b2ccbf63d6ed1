"""SQL of the engine: ring, claim, renew, note, end, reap.

Each method is one statement in its own transaction, so each either happened or did not.
Every time in here is the database's: processes need not agree on the hour. Every write of a
worker carries the token of its lease; with a wrong one it changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, text

from tasuki.core.database import Database
from tasuki.core.jsontext import dump
from tasuki.tasks.engine import statements
from tasuki.tasks.hooks import Ended
from tasuki.tasks.records import Moved
from tasuki.tasks.states import State


@dataclass(frozen=True, kw_only=True, slots=True)
class Bell:
    """Tells the workers of a lane to look at a queue.

    Attributes:
        name: The task that caused it, which is the bell's name in Celery's eyes.
        task_id: The row that caused it; a hint, since the worker takes the best due row.
        last_chance: The row has one crash left, and is to run with nothing beside it.
    """

    name: str
    queue: str
    lane: str
    task_id: UUID
    last_chance: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Claimed:
    """A task that this process holds until the lease ends."""

    id: UUID
    token: UUID
    owner_id: int | None
    name: str
    queue: str
    args: dict[str, Any]
    attempt: int
    max_attempts: int
    crash_count: int
    timeout_s: float | None
    batch_id: UUID | None
    trace_context: dict[str, str] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class End:
    """How an attempt ended.

    Attributes:
        result_text: What it returned, as JSON text.
        pause_s: The task is not over: it is due again after so long.
        given_back: 1 when the attempt does not count, because the worker had to stop or the
            task asked to be begun again.
        got_on: The crashes before it do not count any more.
    """

    id: UUID
    token: UUID
    state: str
    result_text: str | None = None
    error: dict[str, Any] | None = None
    artifact_id: UUID | None = None
    pause_s: float | None = None
    given_back: int = 0
    got_on: bool = False


class EngineRepository:
    """The engine's statements on one database."""

    def __init__(self, database: Database, *, lease_s: float, retention_s: float) -> None:
        self._database = database
        self._lease_s = lease_s
        self._retention_s = retention_s

    async def claim(
        self,
        *,
        worker: str,
        queue: str,
        lane: str,
        names: Sequence[str],
        most: int,
        last_chance: bool = False,
    ) -> list[Claimed]:
        """Take the best due tasks of a queue: highest priority first, then longest due.

        Args:
            names: Tasks this process knows; others wait for a process that does.
            last_chance: Take instead those that have one crash left.
        """
        rows = await self._run(
            statements.CLAIM,
            worker=worker,
            queue=queue,
            lane=lane,
            names=list(names),
            most=most,
            last_chance=last_chance,
            lease_s=self._lease_s,
        )
        return [Claimed(**row) for row in rows]

    async def due_queues(
        self, *, lane: str, queues: Sequence[str], names: Sequence[str]
    ) -> list[tuple[str, bool]]:
        """Return where tasks wait to be claimed, as (queue, last_chance).

        One that was ordered for later is passed over until a dispatcher has seen its time come.
        """
        rows = await self._run(
            statements.DUE_QUEUES, lane=lane, queues=list(queues), names=list(names)
        )
        return [(row["queue"], row["last_chance"]) for row in rows]

    async def renew(self, held: Sequence[tuple[UUID, UUID]]) -> dict[UUID, bool]:
        """Renew leases, given as (id, token).

        Returns:
            For each that is still held, whether it was asked to stop.
        """
        rows = await self._run(
            statements.RENEW,
            ids=[task_id for task_id, _ in held],
            tokens=[token for _, token in held],
            lease_s=self._lease_s,
        )
        return {row["id"]: row["cancelled"] for row in rows}

    async def note(
        self,
        task_id: UUID,
        token: UUID,
        events: Sequence[tuple[str, dict[str, Any]]],
        *,
        progress: dict[str, Any] | None,
    ) -> bool:
        """Write events of a held task; a file's event also files the artifact.

        Returns:
            False when the task is not held any more; then nothing was written.
        """
        rows = await self._run(
            statements.NOTE,
            id=task_id,
            token=token,
            events=dump([{"type": kind, "data": data} for kind, data in events]),
            progress=None if progress is None else dump(progress),
        )
        return bool(rows)

    async def end(self, ends: Sequence[End]) -> list[Moved]:
        """End attempts, all in one transaction.

        Returns:
            The tasks that were still held by their token; the others were not changed.
        """
        return await self._move(
            statements.END,
            ends=dump(
                [
                    {
                        "id": str(end.id),
                        "token": str(end.token),
                        "state": end.state,
                        "result": end.result_text,
                        "error": end.error,
                        "artifact_id": end.artifact_id and str(end.artifact_id),
                        "pause_s": end.pause_s,
                        "given_back": end.given_back,
                        "got_on": end.got_on,
                    }
                    for end in ends
                ]
            ),
        )

    async def give_up(self, task_id: UUID, token: UUID) -> None:
        """End the lease of a held task now, as if its worker had died."""
        await self._run(statements.GIVE_UP, id=task_id, token=token)

    async def take_unrung(self, *, most: int) -> tuple[list[Bell], list[Moved]]:
        """Mark due tasks as rung, to be rung right after.

        Returns:
            A bell for each, and those that were scheduled until now.
        """
        rows = await self._run(statements.TAKE_UNRUNG, most=most)
        now_queued = [
            Moved(id=row["id"], state=State.QUEUED, owner_id=row["owner_id"])
            for row in rows
            if row["was_scheduled"]
        ]
        return [_bell(row) for row in rows], now_queued

    async def take_unanswered(self, *, ring_again_s: float, most: int) -> list[Bell]:
        """Mark tasks as rung again that were rung long ago and that nobody took."""
        rows = await self._run(statements.TAKE_UNANSWERED, ring_again_s=ring_again_s, most=most)
        return [_bell(row) for row in rows]

    async def unring(self, task_ids: Sequence[UUID]) -> None:
        """Take back the mark: the broker did not take the bells."""
        await self._run(statements.UNRING, ids=list(task_ids))

    async def hand_on(self, *, queue: str, lane: str, last_chance: bool, most: int) -> bool:
        """Have some due tasks of a queue rung for again: their bells came where nobody works.

        Returns:
            Whether there were any.
        """
        rows = await self._run(
            statements.HAND_ON, queue=queue, lane=lane, last_chance=last_chance, most=most
        )
        return bool(rows)

    async def next_due_in_s(self) -> float | None:
        """Return in how many seconds the next unrung task is due, if there is one."""
        rows = await self._run(statements.NEXT_DUE)
        return None if rows[0]["due_in_s"] is None else float(rows[0]["due_in_s"])

    async def reap(self) -> list[Moved]:
        """Deal with ended leases: back to the queue, or the end after too many crashes."""
        return await self._move(statements.REAP)

    async def expire(self) -> list[Moved]:
        """End tasks that nobody took before they lost their meaning."""
        return await self._move(statements.EXPIRE)

    async def ended(self, task_ids: Sequence[UUID]) -> list[Ended]:
        """Return what hooks are told of tasks that did not succeed."""
        rows = await self._run(statements.ENDED, ids=list(task_ids))
        return [Ended(**{**row, "state": State(row["state"])}) for row in rows]

    async def purge(self, *, most: int) -> tuple[int, list[UUID]]:
        """Forget tasks and batches whose retention is over.

        Returns:
            How many tasks, and the artifacts whose files can be deleted now.
        """
        rows = await self._run(statements.PURGE, most=most)
        files = [row["artifact_id"] for row in rows if row["artifact_id"] is not None]
        return len({row["task_id"] for row in rows}), files

    async def unknown_artifacts(self, ids: Sequence[UUID]) -> list[UUID]:
        """Return those of the ids that no row knows."""
        rows = await self._run(statements.UNKNOWN_ARTIFACTS, ids=list(ids))
        return [row["id"] for row in rows]

    async def _move(self, statement: str, **parameters: Any) -> list[Moved]:
        rows = await self._run(statement, retention_s=self._retention_s, **parameters)
        return [Moved(**{**row, "state": State(row["state"])}) for row in rows]

    async def _run(self, statement: str, **parameters: Any) -> list[dict[str, Any]]:
        rows = await self._database.run(_prepared(statement), parameters)
        return [dict(row) for row in rows]


@cache
def _prepared(statement: str) -> TextClause:
    return text(statement)


def _bell(row: dict[str, Any]) -> Bell:
    return Bell(
        name=row["name"],
        queue=row["queue"],
        lane=row["lane"],
        task_id=row["id"],
        last_chance=row["last_chance"],
    )
