"""Tasks that begin by the clock: each slot of an interval is ordered once.

The slot's number is the idempotency key of its order. So however many schedulers run, and
whenever one dies, the database lets one order a slot through.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tasuki.core.database import Database
from tasuki.core.errors import Unavailable
from tasuki.core.logging import get_logger
from tasuki.tasks.declare import Task
from tasuki.tasks.repository import TaskRepository
from tasuki.tasks.service import TaskService

log = get_logger(__name__)

_LONGEST_LOOK_S = 5.0


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Orders a task in every slot of an interval.

    Attributes:
        every: Length of a slot; slots are counted from 1970, so all processes agree on them.
    """

    task: Task[..., Any]
    every: timedelta


class Scheduler:
    """Orders what is due by the clock. A slot in which no scheduler ran is left out."""

    def __init__(
        self, *, schedules: Sequence[Schedule], database: Database, tasks: TaskService
    ) -> None:
        self._schedules = schedules
        self._database = database
        self._tasks = tasks
        self._repository = TaskRepository()
        self._done: dict[str, int] = {}

    async def run_for_ever(self) -> None:
        """Order slots until cancelled."""
        shortest = min(
            (schedule.every.total_seconds() for schedule in self._schedules), default=60.0
        )
        while True:
            try:
                await self.go_round()
            except Unavailable as exc:
                log.warning("scheduler_waits", error=str(exc))
            await asyncio.sleep(min(_LONGEST_LOOK_S, shortest / 4))

    async def go_round(self) -> None:
        """Order the present slot of every schedule, unless somebody did."""
        async with self._database.unit_of_work() as session:
            now = await self._repository.now(session)
            for schedule in self._schedules:
                slot = int(now.timestamp() // schedule.every.total_seconds())
                name = schedule.task.name
                if self._done.get(name) == slot:
                    continue
                order = schedule.task.having(idempotency_key=f"schedule:{slot}")
                handle = await self._tasks.enqueue(session, order, {})
                self._done[name] = slot
                if handle.is_new:
                    log.info("slot_ordered", task=name, slot=slot, task_id=str(handle.id))
