"""The ``local`` lane: short tasks on the event loop of a web process, beside its requests.

No broker carries their bells: a notice tells all web processes, and each of them also looks
by itself. So local tasks run while the broker is away, and what a web process leaves behind
when it dies is taken up by another one.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterable
from typing import Protocol

from tasuki.core.errors import Unavailable
from tasuki.core.logging import get_logger
from tasuki.core.notices import Notices, Waiter
from tasuki.tasks.engine.dispatcher import Ringer
from tasuki.tasks.engine.engine import Engine
from tasuki.tasks.engine.pump import Pump
from tasuki.tasks.engine.repository import Bell, EngineRepository
from tasuki.tasks.engine.runner import Run, Runner
from tasuki.tasks.engine.stopsign import StopSign

log = get_logger(__name__)

LANE = "local"
LOCAL_KEY = "local"
"""Notice: there may be local tasks to claim."""

_LET_GO_WITHIN_S = 10.0


class Pulse(Protocol):
    """What tells others that this process lives; see `observing.pulse.LoopPulse`."""

    def start(self) -> None:
        """Say so, from now on."""
        ...

    async def close(self) -> None:
        """Say that it does not any more."""
        ...


class LocalRinger:
    """Rings web processes for local tasks, and the broker for all others."""

    def __init__(self, broker: Ringer, notices: Notices) -> None:
        self._broker = broker
        self._notices = notices

    async def ring(self, bells: Iterable[Bell]) -> None:
        """See `Ringer.ring`."""
        others = []
        for bell in bells:
            if bell.lane == LANE:
                self._notices.send(LOCAL_KEY)
            else:
                others.append(bell)
        if others:
            await self._broker.ring(others)

    async def close(self) -> None:
        """See `Ringer.close`."""
        await self._broker.close()


class LocalLane:
    """Claims local tasks in this process, until it is told to stop.

    Args:
        queues: Where it looks; each gets its turn.
        names: The tasks this process knows.
        look_every_s: It looks so often without any notice.
        pulse: Says that this process lives.
    """

    def __init__(
        self,
        *,
        engine: Engine,
        pump: Pump,
        runner: Runner,
        repository: EngineRepository,
        notices: Notices,
        sign: StopSign,
        queues: list[str],
        names: list[str],
        look_every_s: float,
        pulse: Pulse,
    ) -> None:
        self._engine = engine
        self._pump = pump
        self._runner = runner
        self._repository = repository
        self._notices = notices
        self._sign = sign
        self._queues = queues
        self._names = names
        self._look_every_s = look_every_s
        self._pulse = pulse
        self._looking: asyncio.Task[None] | None = None
        self._waiter: Waiter | None = None
        self._stopped_at: float | None = None

    def start(self) -> None:
        """Begin to claim."""
        self._engine.start()
        self._pulse.start()
        self._looking = asyncio.create_task(self._look_until_stopped(), name="local-lane")

    def stop(self) -> None:
        """Claim nothing more; what runs goes on until `close`."""
        if self._stopped_at is None:
            self._stopped_at = time.monotonic()
        self._sign.stop()
        if self._waiter is not None:
            self._waiter.wake()

    async def close(self, *, within_s: float) -> None:
        """Let running tasks end, then interrupt them: they go back to the queue, uncounted.

        Args:
            within_s: What they get to end, from `stop` on.
        """
        self.stop()
        passed_s = time.monotonic() - (self._stopped_at or 0.0)
        if not await self._is_done(within_s=max(0.0, within_s - passed_s)):
            self._sign.release()
            self._runner.release_all()
            if not await self._is_done(within_s=_LET_GO_WITHIN_S):
                log.error("local_tasks_left", count=len(self._runner.runs))
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        await self._pulse.close()
        await self._engine.close()

    async def _is_done(self, *, within_s: float) -> bool:
        """Wait until nothing is claimed any more and nothing runs; whether that came in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                if self._looking is not None:
                    # A claim that is cancelled on its way would leave a row without a worker.
                    await asyncio.shield(self._looking)
                await self._pump.until_idle()
                return True
        return False

    async def _look_until_stopped(self) -> None:
        with self._notices.listen(LOCAL_KEY) as waiter:
            self._waiter = waiter
            while not self._sign.is_stopping:
                if not await self._look():
                    await waiter.wait(within_s=self._look_every_s)

    async def _look(self) -> bool:
        """Start what is due, queues in turn; return whether there may be more."""
        until = time.monotonic() + self._look_every_s
        try:
            due = await self._repository.due_queues(
                lane=LANE, queues=self._queues, names=self._names
            )
            while due and time.monotonic() < until and not self._sign.is_stopping:
                due = [
                    (queue, last_chance)
                    for queue, last_chance in due
                    if await self._pump.begin(queue, last_chance=last_chance)
                ]
        except Unavailable as exc:
            log.warning("local_look_failed", error=str(exc))
            return False
        except Exception:
            log.exception("local_look_failed")
            return False
        return bool(due)


def leave(run: Run) -> None:
    """Complain of code that swallows its interruption; requests outweigh a hung task."""
    log.error("task_ignores_interruption", task=run.claimed.name, task_id=str(run.claimed.id))
