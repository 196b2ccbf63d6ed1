"""Tasuki orders: each in a transaction of its own, as a request would."""

from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID

from bench.contest import tasuki_jobs
from bench.contest.harness import serve

from tasuki import Task, Tasuki
from tasuki.core.database import Database

_FINISHED = "SELECT id FROM tasks WHERE id = ANY($1::uuid[]) AND finished_at IS NOT NULL"
_TASKS: dict[str, Task[[], Any]] = {"noop": tasuki_jobs.noop, "io": tasuki_jobs.io}


class TasukiSide:
    """See `Contestant`."""

    def __init__(self) -> None:
        self._tasuki = Tasuki()
        self._stack = AsyncExitStack()

    async def start(self) -> None:
        """See `Contestant.start`."""
        await self._stack.enter_async_context(self._tasuki.running())
        self._database = self._tasuki.services.get(Database)
        self._looking = await self._stack.enter_async_context(self._database.driver())

    async def accept(self, task: str) -> str:
        """See `Contestant.accept`."""
        kind, _, how = task.partition(":")
        if how == "own":
            async with self._database.unit_of_work() as session:
                handle = await self._tasuki.enqueue(session, _TASKS[kind])
        else:
            handle = await self._tasuki.submit(_TASKS[kind])
        return str(handle.id)

    async def finished(self, ids: list[str]) -> set[str]:
        """See `Contestant.finished`."""
        rows = await self._looking.fetch(_FINISHED, [UUID(task_id) for task_id in ids])
        return {str(row["id"]) for row in rows}

    async def close(self) -> None:
        """See `Contestant.close`."""
        await self._stack.aclose()


if __name__ == "__main__":
    serve(TasukiSide())
