"""Short work in the web process, by names of the caller's own choosing.

What Starlette's ``BackgroundTasks`` are used for, on the rows that all tasks have: a failing
task does not touch its neighbours, a restart loses none, and the status is known after the end.
"""

from dataclasses import replace
from typing import Any, ParamSpec, TypeVar

from tasuki.core.database import Database, Session
from tasuki.tasks.declare import Task
from tasuki.tasks.engine.cleaner import Cleaner
from tasuki.tasks.errors import TaskNotFound
from tasuki.tasks.records import TaskHandle, TaskRecord
from tasuki.tasks.repository import TaskRepository
from tasuki.tasks.service import TaskService

P = ParamSpec("P")
R = TypeVar("R")


class TaskManager:
    """Starts declared tasks in the lane ``local`` and finds them again by their key.

    A key is a word of the caller's, e.g. ``import-7``: it is the task's ``unique_key``. Each
    call is a transaction of its own. To order within a transaction that is open already::

        await tasuki.enqueue(session, resize, lane="local", unique_key="import-7", ...)
    """

    def __init__(
        self,
        *,
        database: Database,
        tasks: TaskService,
        cleaner: Cleaner,
        repository: TaskRepository | None = None,
    ) -> None:
        self._database = database
        self._tasks = tasks
        self._cleaner = cleaner
        self._records = repository or TaskRepository()

    async def add(
        self, key: str, task: Task[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> TaskHandle:
        """Start a task in this or another web process; `Task.having` gives it other options.

        Raises:
            TaskAlreadyRunning: An unfinished task of this name has the same key.
            ValidationFailed: An argument or option is not acceptable.
        """
        local = replace(task, options=replace(task.options, lane="local", unique_key=key))
        async with self._database.unit_of_work() as session:
            return await self._tasks.enqueue(session, local, task.bind(args, kwargs))

    async def add_task(
        self, key: str, task: Task[..., Any], /, *args: Any, **kwargs: Any
    ) -> TaskHandle:
        """Do as `add`; the name under which the guide's readers look for it."""
        return await self.add(key, task, *args, **kwargs)

    async def status(self, key: str, *, owner_id: int | None = None) -> TaskRecord:
        """Return the newest task that has this key, ended or not, until its retention is over.

        Args:
            owner_id: Only if it belongs to this user; none: whosever it is.

        Raises:
            TaskNotFound: There is none, or it has another owner.
        """
        async with self._database.unit_of_work() as session:
            return await self._find(session, key, owner_id)

    async def cancel(self, key: str, *, owner_id: int | None = None) -> None:
        """Ask the newest task that has this key to stop.

        Args:
            owner_id: As in `status`.

        Raises:
            TaskNotFound: As in `status`.
            TaskFinished: It has ended already.
        """
        async with self._database.unit_of_work() as session:
            record = await self._find(session, key, owner_id)
            await self._tasks.cancel(session, record.id, owner_id=owner_id)

    async def cleanup(self) -> int:
        """Forget the tasks of all lanes whose retention is over, and return how many.

        The engine does it by itself every few seconds; what has just ended stays readable.
        """
        return await self._cleaner.purge()

    async def _find(self, session: Session, key: str, owner_id: int | None) -> TaskRecord:
        record = await self._records.find_by_unique_key(session, key, owner_id=owner_id)
        if record is None:
            raise TaskNotFound(key)
        return record
