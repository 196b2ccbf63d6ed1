"""Decides what may be ordered again. Knows nothing of HTTP and Celery."""

from dataclasses import dataclass
from typing import get_args
from uuid import UUID

from tasuki.core.database import Session, after_commit
from tasuki.core.errors import Conflict
from tasuki.core.ids import new_id
from tasuki.tasks.errors import TaskAlreadyRunning, TaskNotFinished
from tasuki.tasks.records import TaskHandle, TaskRecord
from tasuki.tasks.replays.records import Failures
from tasuki.tasks.replays.repository import ReplayRepository
from tasuki.tasks.replays.schemas import Replayable, ReplayWanted
from tasuki.tasks.service import TaskService
from tasuki.tasks.states import State
from tasuki.tasks.telemetry import ordered_by

FIRST = UUID(int=0)
"""Before all tasks."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lot:
    """Some tasks of a replay of many.

    Attributes:
        last: Where the next lot begins; none: there is nothing more.
        replayed: How many of them were ordered again.
    """

    found: int
    replayed: int
    last: UUID | None


class ReplayService:
    """Orders again what has ended and did not succeed.

    The new task has the name, arguments, queue, lane, priority, tags, limits, unique key and
    owner of the first one, and says in `TaskRecord.replay_of` which that was. The first stays
    as it is.
    """

    def __init__(
        self,
        *,
        tasks: TaskService,
        repository: ReplayRepository | None = None,
    ) -> None:
        self._tasks = tasks
        self._replays = repository or ReplayRepository()

    async def replay(self, session: Session, task_id: UUID, *, owner_id: int | None) -> TaskHandle:
        """Order one task again, even if that was done before.

        Args:
            owner_id: Only if it belongs to this user; none: whosever it is.

        Raises:
            TaskNotFound: It does not exist, or has another owner.
            TaskNotFinished: It has not ended yet.
            Conflict: It succeeded.
            TaskAlreadyRunning: An unfinished task holds its unique key.
            UnknownTask: Nobody declares such a task any more.
        """
        record = await self._tasks.get(session, task_id, owner_id=owner_id)
        if not record.state.is_terminal:
            raise TaskNotFinished(f"The task is {record.state}; what has ended can be replayed.")
        if record.state not in get_args(Replayable):
            raise Conflict("The task succeeded; order a new one if it shall run again.")
        self._tasks.declared(record.name)
        handle = TaskHandle(id=new_id(), state=State.QUEUED, is_new=True)
        copied = await self._replays.copy(
            session, [(task_id, handle.id)], is_once=False, trace_context=ordered_by()
        )
        if not copied:
            raise TaskAlreadyRunning("An unfinished task holds the unique key of this one.")
        after_commit(session, lambda: self._tasks.ordered(copied))
        return handle

    async def count(self, session: Session, wanted: ReplayWanted, *, before: UUID) -> int:
        """Return how many tasks a replay of many is about.

        Args:
            before: Only tasks that were ordered before this one.
        """
        return await self._replays.count(session, wanted, before=before)

    async def page(
        self, session: Session, wanted: ReplayWanted, *, before: UUID | None, limit: int
    ) -> list[TaskRecord]:
        """Return what a replay of many would order again, newest first."""
        return await self._replays.page(session, wanted, before=before, limit=limit)

    async def groups(self, session: Session, wanted: ReplayWanted) -> Failures:
        """Return how many tasks that would be, by name and error."""
        return await self._replays.groups(session, wanted)

    async def replay_lot(
        self, session: Session, wanted: ReplayWanted, *, after: UUID, before: UUID, most: int
    ) -> Lot:
        """Order the next of many tasks again, each once, however many do this at a time.

        What was replayed before, in whatever way, is left out.

        Args:
            after: `Lot.last` of the lot before, at first `FIRST`.
            before: Only tasks that were ordered before this one; without an end the replay
                would meet its own tasks.
            most: How many.
        """
        found = await self._replays.find(session, wanted, after=after, before=before, most=most)
        if not found:
            return Lot(found=0, replayed=0, last=None)
        copied = await self._replays.copy(
            session,
            [(task_id, new_id()) for task_id in found],
            is_once=True,
            trace_context=ordered_by(),
        )
        after_commit(session, lambda: self._tasks.ordered(copied))
        return Lot(found=len(found), replayed=len(copied), last=found[-1])
