"""Orders tasks on behalf of a running one, as its children."""

import asyncio
from collections.abc import Callable
from typing import Any

from tasuki.core.database import Database
from tasuki.core.registry import Registry
from tasuki.tasks.declare import Task
from tasuki.tasks.engine.outcome import Stop
from tasuki.tasks.engine.repository import Claimed
from tasuki.tasks.records import TaskHandle
from tasuki.tasks.service import TaskService
from tasuki.tasks.states import State


class RunChildren:
    """Implements `tasuki.tasks.context.Children` for one run.

    Args:
        services: Those of the task's own code, on whose loop it is used.
        on_refused: Called, maybe on another thread than the engine's, when the task may not
            order anything any more, with the reason.
    """

    def __init__(
        self, claimed: Claimed, *, services: Registry, on_refused: Callable[[Stop], object]
    ) -> None:
        self._claimed = claimed
        self._services = services
        self._on_refused = on_refused

    async def add(self, task: Task[..., Any], args: dict[str, Any]) -> TaskHandle:
        """See `Children.add`.

        The parent's row is held meanwhile: whoever cancels it either comes after the child,
        and finds it, or came before, and there is no child.
        """
        parent = self._claimed
        if task.options.owner_id is None:
            task = task.having(**{**vars(task.options), "owner_id": parent.owner_id})
        tasks = self._services.get(TaskService)
        async with self._services.get(Database).unit_of_work() as session:
            state = await tasks.hold(session, parent.id, token=parent.token)
            if state is State.RUNNING:
                return await tasks.enqueue(session, task, args, parent_id=parent.id)
        self._on_refused(Stop.CANCELLED if state is State.CANCELLING else Stop.LOST)
        raise asyncio.CancelledError
