"""A worker says that it lives, from a thread of its own.

Celery's own heartbeats go through the broker: they stop when it does, though the workers live.
The thread belongs to the worker's main process, which in the cpu lane is not the one that runs
tasks; so an idle worker is seen, and one whose children are all busy too. A web process, which
runs tasks of the lane ``local``, says so on its event loop.
"""

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass

from tasuki.core.database import Database
from tasuki.core.logging import get_logger
from tasuki.tasks.observing.repository import ObservingRepository

log = get_logger(__name__)

_WITHIN_S = 5.0

Telling = Callable[[ObservingRepository], Awaitable[None]]


def worker_name(lane: str, host: str, *, pid: int, child: int | None = None) -> str:
    """Return ``LANE@HOST:PID``, and ``/CHILD`` after it for a child of the worker."""
    return f"{lane}@{host}:{pid}" + (f"/{child}" if child is not None else "")


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Who beats."""

    lane: str
    host: str
    pid: int
    concurrency: int

    @property
    def name(self) -> str:
        """See `worker_name`."""
        return worker_name(self.lane, self.host, pid=self.pid)


class _Beats:
    """What a living process tells the database; on the way it counts what happened."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._is_first = True

    async def beat(self, repository: ObservingRepository) -> None:
        who = self._identity
        await repository.beat(
            name=who.name,
            lane=who.lane,
            host=who.host,
            pid=who.pid,
            concurrency=who.concurrency,
            is_first=self._is_first,
        )
        self._is_first = False
        await repository.count()

    async def leave(self, repository: ObservingRepository) -> None:
        await repository.leave(self._identity.name)


class LoopPulse:
    """Keeps the row of a web process fresh, on its own event loop.

    While that loop is blocked the process answers nobody, and is not counted among the living.
    """

    def __init__(
        self, identity: Identity, repository: ObservingRepository, *, every_s: float
    ) -> None:
        self._beats = _Beats(identity)
        self._repository = repository
        self._every_s = every_s
        self._beating: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Say that the process lives, from now on."""
        self._beating = asyncio.create_task(self._beat_for_ever(), name="pulse")

    async def close(self) -> None:
        """Say that it does not."""
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.gather(self._beating, return_exceptions=True)
            await self._tell(self._beats.leave)

    async def _beat_for_ever(self) -> None:
        while True:
            await self._tell(self._beats.beat)
            await asyncio.sleep(self._every_s)

    async def _tell(self, what: Telling) -> None:
        try:
            async with asyncio.timeout(_WITHIN_S):
                await what(self._repository)
        except Exception as exc:  # noqa: BLE001  # whatever it is, the next beat may go well
            _complain(exc)


class Pulse:
    """Keeps a worker's row fresh, from a thread.

    Each beat opens a connection and closes it again: a child that is forked inherits none, and
    none stands idle between two beats. While a beat lasts the process does not fork, so that a
    child never begins with a lock that only this thread could open.

    Args:
        connect: Opens a database for the loop that calls it.
        every_s: Seconds between two beats.
    """

    def __init__(
        self, identity: Identity, *, connect: Callable[[], Database], every_s: float
    ) -> None:
        self._beats = _Beats(identity)
        self._connect = connect
        self._every_s = every_s
        self._beating = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tasuki-pulse", daemon=True)

    @contextmanager
    def beating(self) -> Generator[None]:
        """Say that the worker lives while the block runs, and then that it does not."""
        os.register_at_fork(
            before=self._beating.acquire,
            after_in_parent=self._beating.release,
            after_in_child=self._beating.release,
        )
        self._thread.start()
        try:
            yield
        finally:
            self._ended.set()
            self._thread.join(3 * _WITHIN_S)

    def _run(self) -> None:
        while not self._ended.is_set():
            self._tell(self._beats.beat)
            self._ended.wait(self._every_s)
        self._tell(self._beats.leave)

    def _tell(self, what: Telling) -> None:
        with self._beating:
            try:
                asyncio.run(self._on_connection(what))
            except Exception as exc:  # noqa: BLE001  # whatever it is, the next beat may go well
                _complain(exc)

    async def _on_connection(self, what: Telling) -> None:
        database = self._connect()
        try:
            async with asyncio.timeout(_WITHIN_S):
                await what(ObservingRepository(database))
        finally:
            await database.close()


def _complain(exc: Exception) -> None:
    log.warning("pulse_failed", error=f"{type(exc).__name__}: {exc}")
