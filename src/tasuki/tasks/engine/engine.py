"""All engine parts of one process, put together and kept running."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from tasuki.core.background import Background
from tasuki.tasks.engine.dispatcher import Dispatcher
from tasuki.tasks.engine.pump import Pump
from tasuki.tasks.engine.reaper import Reaper
from tasuki.tasks.engine.runner import Run, Runner
from tasuki.tasks.engine.stopsign import StopSign

_LOOK_AT_SIGN_S = 0.2
_END_ROUND_WITHIN_S = 3.0  # a broker that stays silent would hold a stop up


@dataclass(kw_only=True)
class Engine:
    """Background loops of a process: what carries tasks, whichever parts it has.

    Attributes:
        dispatcher: Rings for due tasks; every process but the children of the cpu lane has one.
        reaper: Repairs; where there is a dispatcher.
        runner: Works on tasks; workers have one.
        pump: Claims them; workers have one.
        sign: Obeyed when it says that running tasks are to be let go.
        emergency: Told who blocks the loop and who merely runs beside it, just before the
            process ends itself; on a loop of its own.
        closing: Called in order at the end, e.g. to close pools.
    """

    dispatcher: Dispatcher | None = None
    reaper: Reaper | None = None
    runner: Runner | None = None
    pump: Pump | None = None
    sign: StopSign | None = None
    emergency: Callable[[Run, list[Run]], Coroutine[Any, Any, None]] | None = None
    closing: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    _loops: Background = field(default_factory=Background)

    def wake(self) -> None:
        """Ring at once for what was just committed; may be called from any thread."""
        if self.dispatcher is not None:
            self.dispatcher.wake()

    @property
    def failed_dispatches(self) -> int:
        """How often in a row ringing failed."""
        return self.dispatcher.failures if self.dispatcher is not None else 0

    @property
    def failed_dispatches_ever(self) -> int:
        """How often it failed since this process began."""
        return self.dispatcher.failures_ever if self.dispatcher is not None else 0

    def start(self) -> None:
        """Start the loops on the running event loop."""
        if self.dispatcher is not None:
            self._loops.keep(self.dispatcher.run_for_ever, name="dispatcher")
        if self.reaper is not None:
            self._loops.keep(self.reaper.run_for_ever, name="reaper")
        if self.runner is not None:
            self._loops.keep(self.runner.beat_for_ever, name="heartbeat")
        if self.runner is not None and self.sign is not None:
            self._loops.keep(self._obey, name="stop-sign")

    async def close(self) -> None:
        """End the loops, between two rounds if that comes soon; then close what they stood on."""
        for part in (self.dispatcher, self.reaper):
            if part is not None:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_END_ROUND_WITHIN_S):
                        await part.busy.acquire()
        await self._loops.close()
        for close in self.closing:
            await close()

    async def _obey(self) -> None:
        """Let go of running tasks once the sign says so; it is shared memory, so we look."""
        while self.sign is not None and self.runner is not None:
            if self.sign.is_releasing:
                self.runner.release_all()
            await asyncio.sleep(_LOOK_AT_SIGN_S)
