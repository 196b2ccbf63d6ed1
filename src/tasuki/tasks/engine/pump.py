"""Answers bells: claims due tasks of a queue and runs as many as there is room for.

A bell is only a reason to look. However many bells come, forged, repeated or late, what is
run is decided by the rows; and one bell is enough to empty a queue.
"""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine
from typing import Any

from tasuki.core.errors import Unavailable
from tasuki.core.logging import get_logger
from tasuki.core.notices import Notices
from tasuki.tasks.engine.repository import Claimed, EngineRepository
from tasuki.tasks.engine.runner import Runner
from tasuki.tasks.service import DISPATCH_KEY

log = get_logger(__name__)

_MOST_AT_ONCE = 50  # rows of one claim
_HANDED_ON = 4  # rows to be rung for elsewhere: a bell each, and one bell may empty a queue
_GATHER_S = 0.005  # when all room was taken, wait so long for more of it to come free


class Room:
    """How many tasks may run at once in this process."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._free = asyncio.Semaphore(size)

    async def take(self, *, most: int) -> int:
        """Wait for room and return how much was taken, between 1 and ``most``."""
        was_full = self._free.locked()
        await self._free.acquire()
        if was_full and most > 1:
            await asyncio.sleep(_GATHER_S)
        taken = 1
        while taken < most and not self._free.locked():
            await self._free.acquire()
            taken += 1
        return taken

    async def take_all(self, *, within_s: float) -> int:
        """Let nothing new begin and wait until nothing runs; return how much room was taken.

        Less than all of it means that something still ran after so many seconds.
        """
        taken = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while taken < self.size:
                    await self._free.acquire()
                    taken += 1
        return taken

    def give(self, count: int = 1) -> None:
        """Give room back."""
        for _ in range(count):
            self._free.release()


class Pump:
    """Turns bells into runs.

    Args:
        names: The tasks this process knows.
        is_stopping: Asked before each claim: a worker that stops takes nothing new.
        longest_s: A bell is let go after so long, even if more is due; other bells go on.
        alone_s: Others are kept waiting no longer than this, twice, for the sake of a task
            that is to run alone: first until it is alone, then while it is.
    """

    def __init__(
        self,
        *,
        runner: Runner,
        repository: EngineRepository,
        notices: Notices,
        lane: str,
        names: list[str],
        room: int,
        is_stopping: Callable[[], bool],
        longest_s: float,
        alone_s: float,
    ) -> None:
        self._runner = runner
        self._repository = repository
        self._notices = notices
        self._lane = lane
        self._names = names
        self._room = Room(room)
        self._is_stopping = is_stopping
        self._longest_s = longest_s
        self._alone_s = alone_s
        self._turns: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._alone = asyncio.Lock()
        self._asked_alone: set[str] = set()
        self._running: set[asyncio.Task[None]] = set()

    async def answer(self, queue: str, *, last_chance: bool = False) -> int:
        """Run what is due in a queue, and return when that has ended.

        Args:
            last_chance: Run the tasks that have one crash left, each with nothing beside it:
                if the process dies now, it is known whose fault it was, and nobody else pays.

        Returns:
            How many tasks were run.
        """
        mine = await (self._answer_alone(queue) if last_chance else self._answer(queue))
        if self._is_stopping():
            await self._hand_on(queue, last_chance=last_chance)
        await asyncio.gather(*mine)
        return len(mine)

    async def begin(self, queue: str, *, last_chance: bool = False) -> bool:
        """Start some of what is due in a queue, and do not wait for its end.

        Returns:
            Whether more may be due.
        """
        if last_chance:
            async with self._alone:
                return await self._begin_alone(queue) is not None
        _, is_more = await self._begin(queue)
        return is_more

    async def until_idle(self) -> None:
        """Wait until nothing runs any more."""
        while self._running:
            await asyncio.wait(self._running)

    async def _answer(self, queue: str) -> "list[asyncio.Task[None]]":
        mine: list[asyncio.Task[None]] = []
        async with self._turns[queue]:
            until = time.monotonic() + self._longest_s
            is_more = True
            while is_more and not self._is_stopping() and time.monotonic() < until:
                begun, is_more = await self._begin(queue)
                mine += begun
        return mine

    async def _hand_on(self, queue: str, *, last_chance: bool) -> None:
        """Have a bell that this process answers no more rung for others.

        Without that what waits in the queue would wait until the reaper misses its bell.
        """
        try:
            found = await self._repository.hand_on(
                queue=queue, lane=self._lane, last_chance=last_chance, most=_HANDED_ON
            )
        except Unavailable as exc:
            log.warning("bell_not_handed_on", queue=queue, error=str(exc))
            return
        if found:
            self._notices.send(DISPATCH_KEY)

    async def _begin(self, queue: str) -> "tuple[list[asyncio.Task[None]], bool]":
        """Fill the room there is, and return the runs and whether more may be due."""
        room = await self._room.take(most=_MOST_AT_ONCE)
        if self._is_stopping():
            self._room.give(room)
            return [], False
        claimed = await self._claim(queue, most=room)
        return [self._start(self._in_room(task)) for task in claimed], len(claimed) == room

    async def _claim(self, queue: str, *, most: int) -> list[Claimed]:
        claimed: list[Claimed] = []
        try:
            claimed = await self._take(queue, most=most)
        finally:
            self._room.give(most - len(claimed))
        return claimed

    async def _answer_alone(self, queue: str) -> "list[asyncio.Task[None]]":
        # However many bells wait here, each row costs one look and the rest one together.
        self._asked_alone.add(queue)
        mine: list[asyncio.Task[None]] = []
        async with self._alone:
            while queue in self._asked_alone and not self._is_stopping():
                self._asked_alone.discard(queue)
                run = await self._begin_alone(queue)
                if run is not None:
                    self._asked_alone.add(queue)
                    mine.append(run)
        return mine

    async def _begin_alone(self, queue: str) -> "asyncio.Task[None] | None":
        """Run one task alone, and return it once it ended or was alone for long enough.

        What runs for hours beside it, or itself runs for hours, must not stop everything else.
        """
        taken = await self._room.take_all(within_s=self._alone_s)
        try:
            if not taken or self._is_stopping():
                return None
            claimed = await self._take(queue, most=1, last_chance=True)
            if not claimed:
                return None
            taken -= 1  # `_in_room` gives this one back
            run = self._start(self._in_room(claimed[0]))
            await asyncio.wait({run}, timeout=self._alone_s)
            return run
        finally:
            self._room.give(taken)

    async def _take(self, queue: str, *, most: int, last_chance: bool = False) -> list[Claimed]:
        return await self._repository.claim(
            worker=self._runner.worker,
            queue=queue,
            lane=self._lane,
            names=self._names,
            most=most,
            last_chance=last_chance,
        )

    def _start(self, run: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        running = asyncio.create_task(run, name="task-run")
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        return running

    async def _in_room(self, claimed: Claimed) -> None:
        try:
            await self._run(claimed)
        finally:
            self._room.give()

    async def _run(self, claimed: Claimed) -> None:
        try:
            await self._runner.run(claimed)
        except Exception:
            # A fault of the engine itself: the lease ends and the reaper gives the task on.
            log.exception("run_failed", task_id=str(claimed.id), task=claimed.name)
