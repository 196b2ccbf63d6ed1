"""Takes orders that need no transaction of their caller's, those that come together in one."""

from dataclasses import replace
from typing import Any

from tasuki.core.database import Database
from tasuki.core.together import Together
from tasuki.tasks.declare import Task
from tasuki.tasks.records import Order, TaskHandle
from tasuki.tasks.repository import TaskRepository
from tasuki.tasks.service import TaskService, order_of

_MOST_TOGETHER = 200


class Intake:
    """Orders tasks, each as if in a transaction of its own, many at the price of one."""

    def __init__(
        self,
        *,
        database: Database,
        tasks: TaskService,
        repository: TaskRepository | None = None,
    ) -> None:
        self._database = database
        self._tasks = tasks
        self._records = repository or TaskRepository()
        self._together = Together(self._write, most=_MOST_TOGETHER, name="intake")

    async def submit(self, task: Task[..., Any], args: dict[str, Any]) -> TaskHandle:
        """Order a task; it is committed when this returns.

        An order that carries a key goes by itself: it may have to wait for another one of its
        key, and nobody else should wait with it.

        Raises:
            ValidationFailed: An argument or an option is not acceptable.
            IdempotencyConflict: The idempotency key stands for other arguments.
            TaskAlreadyRunning: An unfinished task holds the unique key.
            Unavailable: The database does not answer; nobody knows whether it was taken.
        """
        options = task.options
        if options.idempotency_key is not None or options.unique_key is not None:
            async with self._database.unit_of_work() as session:
                return await self._tasks.enqueue(session, task, args)
        order = replace(order_of(task, args), columns=self._tasks.columns(task))
        return await self._together.do(order)

    async def _write(self, orders: list[Order]) -> list[TaskHandle]:
        added = await self._records.add_at_once(self._database, orders)
        self._tasks.ordered(order.columns["owner_id"] for order in orders)
        return [TaskHandle(id=one.id, state=added[one.id], is_new=True) for one in orders]
