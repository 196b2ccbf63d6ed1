"""Where tasks run inside a Celery worker: the ``io`` lane and the ``cpu`` lane.

Both have a thread with one event loop for the engine. In the io lane the tasks' own code runs
on that loop too, a hundred at once. In the cpu lane it runs on a second loop, in the main
thread of the prefork child, so that code which computes cannot hold up the heartbeat.
"""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar

import uvloop

from tasuki.core.logging import get_logger
from tasuki.tasks.engine.engine import Engine
from tasuki.tasks.engine.pump import Pump
from tasuki.tasks.engine.runner import Run

log = get_logger(__name__)

Result = TypeVar("Result")

_START_WITHIN_S = 30.0
_STOP_WITHIN_S = 10.0
_LAST_WORDS_S = 3.0  # to a database that answers they take a few milliseconds


class Lane(Protocol):
    """Answers bells inside one process."""

    def answer(self, queue: str, *, last_chance: bool) -> int:
        """Run what is due in a queue and return how many tasks that was; blocks meanwhile."""
        ...

    def close(self, *, within_s: float) -> None:
        """Take nothing new, let running tasks end, interrupt those that do not within the time."""
        ...


BuildEngine = Callable[[asyncio.AbstractEventLoop, Callable[[Run], None]], Awaitable[Engine]]
"""Builds the engine on the running loop, for tasks on the given loop."""


class EngineThread:
    """A thread that runs one event loop for as long as the process lives."""

    def __init__(self) -> None:
        self.loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="tasuki-engine", daemon=True)
        self._thread.start()

    def submit(self, work: Coroutine[Any, Any, Result]) -> "Future[Result]":
        """Run a coroutine on the loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def stop(self) -> None:
        """End the loop."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(_STOP_WITHIN_S)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()


class IoLane:
    """Many tasks at once on the engine's own loop."""

    def __init__(self, build: BuildEngine, *, watch_s: float) -> None:
        """Start the engine.

        Args:
            watch_s: A loop that is blocked for so long is taken for stuck.
        """
        self._thread = EngineThread()
        self._engine = self._thread.submit(self._start(build)).result(_START_WITHIN_S)
        self._watchdog = Watchdog(self._thread.loop, limit_s=watch_s, on_stuck=self._blame)
        self._watchdog.start()

    def answer(self, queue: str, *, last_chance: bool) -> int:
        """See `Lane.answer`."""
        pump = _pump_of(self._engine)
        return self._thread.submit(pump.answer(queue, last_chance=last_chance)).result()

    def close(self, *, within_s: float) -> None:
        """See `Lane.close`."""
        self._watchdog.stop()
        self._thread.submit(_close(self._engine, within_s=within_s)).result(
            within_s + 2 * _STOP_WITHIN_S
        )
        self._thread.stop()

    async def _start(self, build: BuildEngine) -> Engine:
        engine = await build(asyncio.get_running_loop(), _leave)
        engine.start()
        return engine

    def _blame(self) -> None:
        """Tell the database whose code blocks the loop, then end this process.

        Without these words everything that runs here would count the crash as its own. If they
        cannot be said the process ends all the same: nothing else would ever give its tasks on.
        """
        killer = threading.Timer(_LAST_WORDS_S, _kill_process)
        killer.daemon = True
        killer.start()
        try:
            self._last_words()
        except Exception as exc:  # noqa: BLE001  # see above
            log.warning("last_words_unsaid", error=f"{type(exc).__name__}: {exc}")
        finally:
            _kill_process()

    def _last_words(self) -> None:
        stuck = asyncio.current_task(self._thread.loop)
        runs = self._engine.runner.runs if self._engine.runner else []
        guilty = [run for run in runs if run.body is not None and run.body.task is stuck]
        log.error(
            "event_loop_blocked",
            task=guilty[0].claimed.name if guilty else None,
            task_id=str(guilty[0].claimed.id) if guilty else None,
        )
        if self._engine.emergency is not None and guilty:
            innocent = [run for run in runs if run is not guilty[0]]
            asyncio.run(self._engine.emergency(guilty[0], innocent))


class CpuLane:
    """One task at a time in the main thread, the engine beside it."""

    def __init__(self, build: BuildEngine) -> None:
        """Start the engine; call it in the child's main thread, after the fork."""
        # systemd tells all processes of a service; only the parent decides when a child ends.
        # Not SIG_IGN, which the programs that a task starts would inherit.
        signal.signal(signal.SIGTERM, lambda *_: None)
        self._body_loop = asyncio.new_event_loop()
        self._thread = EngineThread()
        self._engine = self._on_engine(self._start(build))

    def answer(self, queue: str, *, last_chance: bool) -> int:
        """See `Lane.answer`."""
        return self._on_engine(_pump_of(self._engine).answer(queue, last_chance=last_chance))

    def close(self, *, within_s: float) -> None:
        """See `Lane.close`."""
        self._on_engine(_close(self._engine, within_s=within_s))
        self._thread.stop()
        self._body_loop.close()

    def _on_engine(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run the body loop here for as long as the engine works."""

        async def wait() -> Result:
            return await asyncio.wrap_future(self._thread.submit(work))

        return self._body_loop.run_until_complete(wait())

    async def _start(self, build: BuildEngine) -> Engine:
        engine = await build(self._body_loop, _end_process)
        engine.start()
        return engine


class Watchdog(threading.Thread):
    """Notices that an event loop is blocked, from outside of it.

    Args:
        limit_s: How long the loop may not answer. Time during which this thread did not run
            either, e.g. because the whole process was stopped, does not count.
        on_stuck: Called in this thread, once.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, *, limit_s: float, on_stuck: Callable[[], None]
    ) -> None:
        super().__init__(name="tasuki-watchdog", daemon=True)
        self._loop = loop
        self._step_s = limit_s / 10
        self._on_stuck = on_stuck
        self._ended = threading.Event()

    def stop(self) -> None:
        """Watch no more."""
        self._ended.set()

    def run(self) -> None:
        """Ask the loop for a sign of life, again and again."""
        while not self._ended.wait(self._step_s):
            alive = threading.Event()
            self._loop.call_soon_threadsafe(alive.set)
            if not self._comes_within_limit(alive):
                self._on_stuck()
                return

    def _comes_within_limit(self, alive: threading.Event) -> bool:
        steps = 0
        while steps < 10:
            asked = time.monotonic()
            if alive.wait(self._step_s) or self._ended.is_set():
                return True
            if time.monotonic() - asked < 2 * self._step_s:
                steps += 1
        return False


async def _close(engine: Engine, *, within_s: float) -> None:
    pump, runner = engine.pump, engine.runner
    if pump is not None and runner is not None:
        try:
            async with asyncio.timeout(within_s):
                await pump.until_idle()
        except TimeoutError:
            runner.release_all()
            await asyncio.wait_for(pump.until_idle(), _STOP_WITHIN_S)
    await engine.close()


def _pump_of(engine: Engine) -> Pump:
    if engine.pump is None:
        msg = "this process has no pump; it takes no tasks"
        raise RuntimeError(msg)
    return engine.pump


def _leave(run: Run) -> None:
    """In the io lane, code that swallows its interruption is left behind, with a complaint."""
    log.error("task_ignores_interruption", task=run.claimed.name, task_id=str(run.claimed.id))


def _end_process(run: Run) -> None:
    """In the cpu lane the child goes down with it; Celery starts another."""
    _leave(run)
    _kill_process()


def _kill_process() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
