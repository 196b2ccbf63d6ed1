"""Reads the numbers, seldom: however many ask, the database is asked every few seconds."""

import asyncio
import time
from collections import defaultdict

from tasuki.tasks.observing.records import Ended, HeldTask, Picture, WorkerRecord
from tasuki.tasks.observing.repository import ObservingRepository

KEEP_S = 5.0
"""Numbers are no older than this."""
LATELY_S = 300.0
"""Throughput is told over so many seconds."""
_MOST_HELD = 10  # tasks that are named for each worker


class TaskNumbers:
    """What stands where, what happened, who works.

    Args:
        alive_s: A worker that was silent for so long is not counted among the living.
    """

    def __init__(self, repository: ObservingRepository, *, alive_s: float) -> None:
        self._repository = repository
        self._alive_s = alive_s
        self._lock = asyncio.Lock()
        self._picture: Picture | None = None
        self._until = 0.0

    async def picture(self) -> Picture:
        """Return the numbers, at most `KEEP_S` old.

        Raises:
            Unavailable: The database does not answer.
        """
        async with self._lock:
            if self._picture is None or time.monotonic() >= self._until:
                await self._repository.count()
                self._picture = Picture(
                    standing=await self._repository.standing(),
                    counts=await self._repository.counts(),
                    workers=await self.workers(),
                )
                self._until = time.monotonic() + KEEP_S
            return self._picture

    async def workers(self) -> list[WorkerRecord]:
        """Return the living workers."""
        return await self._repository.workers(alive_s=self._alive_s)

    async def lost_workers(self) -> list[WorkerRecord]:
        """Return the workers of the last hour that fell silent without a word."""
        return await self._repository.workers(alive_s=self._alive_s, is_alive=False)

    async def held(self) -> dict[str, list[HeldTask]]:
        """Return the tasks that workers hold, by worker; of each no more than ten."""
        found: dict[str, list[HeldTask]] = defaultdict(list)
        for task in await self._repository.held(most=_MOST_HELD):
            found[task.worker].append(task)
        return found

    async def ended_lately(self) -> list[Ended]:
        """Return how many tasks of each queue ended in the last `LATELY_S` seconds."""
        return await self._repository.ended(within_s=LATELY_S)
