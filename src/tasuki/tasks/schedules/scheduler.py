"""The loop that orders slots when their time has come; any number of processes may run it."""

import asyncio

from tasuki.core.database import Database
from tasuki.core.errors import Unavailable
from tasuki.core.logging import get_logger
from tasuki.tasks.schedules.service import ScheduleService

log = get_logger(__name__)

_LONGEST_LOOK_S = 5.0  # a schedule that was switched on elsewhere is seen after so long
_SHORTEST_LOOK_S = 0.02


class Scheduler:
    """Orders what is due, then waits for the next slot."""

    def __init__(self, *, database: Database, schedules: ScheduleService) -> None:
        self._database = database
        self._schedules = schedules

    async def run_for_ever(self) -> None:
        """Order slots until cancelled; a database that is away is waited for."""
        is_prepared = False
        while True:
            pause_s = _LONGEST_LOOK_S
            try:
                if not is_prepared:
                    await self.prepare()
                    is_prepared = True
                pause_s = await self.go_round()
            except Unavailable as exc:
                log.warning("scheduler_waits", error=str(exc))
            await asyncio.sleep(pause_s)

    async def prepare(self) -> None:
        """Make the rows of new schedules."""
        async with self._database.unit_of_work() as session:
            await self._schedules.prepare(session)

    async def go_round(self) -> float:
        """Order what is due, each schedule in a transaction of its own.

        Returns:
            How many seconds to wait.
        """
        for name in self._schedules.names:
            async with self._database.unit_of_work() as session:
                await self._schedules.order_due(session, name)
        async with self._database.unit_of_work() as session:
            next_s = await self._schedules.seconds_to_next(session)
        if next_s is None:
            return _LONGEST_LOOK_S
        return min(_LONGEST_LOOK_S, max(_SHORTEST_LOOK_S, next_s))
