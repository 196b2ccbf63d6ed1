"""Rings the workers for tasks that are due; any number of processes may do it.

The row is marked first, then the bell is rung outside of any transaction: a worker skips
rows that somebody holds, so a bell must not arrive while we still hold the row. If the broker
refuses, the mark is taken back. If we die in between, the reaper rings again.
"""

import asyncio
import contextlib
import math
import random
from collections import defaultdict
from collections.abc import Iterable
from typing import Protocol

from tasuki.core.errors import Unavailable
from tasuki.core.logging import get_logger
from tasuki.core.notices import Notices, Waiter
from tasuki.tasks.engine.repository import Bell, EngineRepository
from tasuki.tasks.service import DISPATCH_KEY, tell

log = get_logger(__name__)

_MOST_AT_ONCE = 500
_LONGEST_PAUSE_S = 5.0  # between two tries while the broker is away
_ROWS_PER_BELL = 25
_FEWEST_BELLS = 4  # for a handful of rows, so that several worker processes share them
_RING_WITHIN_S = 15.0  # above the sum of the broker client's own limits


class BrokerUnavailable(Exception):
    """The broker did not take the bells, or nobody knows whether it did."""


class Ringer(Protocol):
    """Hands bells to the broker.

    Every adapter passes ``tests/contract/test_ringer.py``.
    """

    async def ring(self, bells: Iterable[Bell]) -> None:
        """Ring, in this order.

        Raises:
            BrokerUnavailable: Some or all were not taken; ringing again is harmless.
        """
        ...

    async def close(self) -> None:
        """Let go of the broker."""
        ...


class Dispatcher:
    """Looks for due tasks and rings for them.

    Attributes:
        busy: Held between a mark and its bell; who cancels meanwhile delays both.
    """

    def __init__(
        self,
        *,
        repository: EngineRepository,
        ringer: Ringer,
        notices: Notices,
        look_every_s: float,
    ) -> None:
        self._repository = repository
        self._ringer = ringer
        self._notices = notices
        self._look_every_s = look_every_s
        self._failures = 0
        self._failures_ever = 0
        self._woken = asyncio.Event()
        self.busy = asyncio.Lock()
        self._loop = asyncio.get_running_loop()

    def wake(self) -> None:
        """Look at once: something was committed. May be called from any thread."""
        self._loop.call_soon_threadsafe(self._woken.set)

    @property
    def failures(self) -> int:
        """How often in a row the broker or the database could not be reached."""
        return self._failures

    @property
    def failures_ever(self) -> int:
        """How often that was, since this process began."""
        return self._failures_ever

    async def run_for_ever(self) -> None:
        """Dispatch until cancelled; no failure of database or broker ends it."""
        with self._notices.listen(DISPATCH_KEY) as waiter:
            listening = asyncio.create_task(self._forward(waiter), name="dispatcher-notices")
            try:
                while True:
                    pause_s = await self._look()
                    await self._wait(pause_s)
            finally:
                listening.cancel()

    async def ring_unanswered(self, *, ring_again_s: float) -> None:
        """Ring again for what was rung and never taken: bells get lost, rows do not.

        A few bells for each queue are enough to wake its workers, and cannot fill a broker
        that has none.
        """
        bells = await self._repository.take_unanswered(ring_again_s=ring_again_s, most=100)
        await self._ring(bells, rung=few(bells))

    async def _look(self) -> float:
        """Ring for what is due, and return how long there is nothing to do."""
        try:
            while await self._dispatch():
                pass
            next_s = await self._repository.next_due_in_s()
        except (Unavailable, BrokerUnavailable) as exc:
            self._failures += 1
            self._failures_ever += 1
            longest = min(_LONGEST_PAUSE_S, 0.1 * 2 ** min(self._failures, 10))
            log.warning("dispatch_failed", failures=self._failures, error=str(exc))
            return random.uniform(longest / 2, longest)  # noqa: S311  # spreads load
        self._failures = 0
        if next_s is None:
            return self._look_every_s
        return min(self._look_every_s, max(next_s, 0.01))

    async def _dispatch(self) -> bool:
        """Ring for one lot of due tasks, and return whether there may be more."""
        async with self.busy:
            bells, now_queued = await self._repository.take_unrung(most=_MOST_AT_ONCE)
            tell(self._notices, now_queued)
            await self._ring(bells, rung=together(bells))
        return len(bells) == _MOST_AT_ONCE

    async def _ring(self, bells: list[Bell], *, rung: list[Bell]) -> None:
        """Ring for rows that are marked; take all marks back if the broker refuses."""
        if not bells:
            return
        try:
            async with asyncio.timeout(_RING_WITHIN_S):
                await self._ringer.ring(rung)
        except (BrokerUnavailable, TimeoutError) as exc:
            await self._repository.unring([bell.task_id for bell in bells])
            raise BrokerUnavailable(str(exc) or "the broker stays silent") from exc

    async def _wait(self, pause_s: float) -> None:
        # While the broker is away a new order is no reason to hurry.
        if self._failures:
            await asyncio.sleep(pause_s)
        else:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._woken.wait()
        self._woken.clear()

    async def _forward(self, waiter: Waiter) -> None:
        while True:
            if await waiter.wait(within_s=60):
                self._woken.set()


def together(bells: list[Bell]) -> list[Bell]:
    """Return fewer bells for the same rows: many rows of an io queue share one.

    A process of the io lane takes many rows for one bell. In the cpu lane a bell reaches one
    child, so there each row keeps its own, as does a row that must run alone.
    """
    kept: list[Bell] = []
    shared: dict[tuple[str, str], list[Bell]] = defaultdict(list)
    for bell in bells:
        if bell.lane == "io" and not bell.last_chance:
            shared[bell.queue, bell.lane].append(bell)
        else:
            kept.append(bell)
    for group in shared.values():
        wanted = max(math.ceil(len(group) / _ROWS_PER_BELL), min(len(group), _FEWEST_BELLS))
        kept += group[:wanted]
    return kept


def few(bells: list[Bell]) -> list[Bell]:
    """Return a handful of bells for each queue, lane and kind, whatever they stand for."""
    groups: dict[tuple[str, str, bool], list[Bell]] = defaultdict(list)
    for bell in bells:
        groups[bell.queue, bell.lane, bell.last_chance].append(bell)
    return [bell for group in groups.values() for bell in group[:_FEWEST_BELLS]]
