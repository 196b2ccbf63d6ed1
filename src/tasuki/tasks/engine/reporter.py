"""Brings what one running task says to its watchers: coalesced, bounded, in order.

A task may say more than anyone can read. Progress is kept to four a second (less for very
long tasks), the newest always wins and the last is always written; log lines are bounded per
attempt. The task itself never waits for the database.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any

from tasuki.core.errors import Unavailable
from tasuki.core.logging import get_logger
from tasuki.core.notices import Notices
from tasuki.tasks.artifacts import Artifact
from tasuki.tasks.engine.repository import Claimed, EngineRepository
from tasuki.tasks.service import task_key

log = get_logger(__name__)

_PAUSE_S = 0.25  # between two writes: four a second
_PAUSE_GROWS_BY = 1 / 2000  # seconds of pause per second of run; bounds the events of long tasks
_MOST_LINES = 1_000  # log lines of one attempt


class Reporter:
    """Implements `tasuki.tasks.context.Report` for one run.

    It lives on the engine's loop; the task may speak from another thread.

    Args:
        on_lost: Called when the database says that the task is not held any more.
    """

    def __init__(
        self,
        claimed: Claimed,
        *,
        repository: EngineRepository,
        notices: Notices,
        on_lost: Callable[[], None],
    ) -> None:
        self._claimed = claimed
        self._repository = repository
        self._notices = notices
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._events: list[tuple[str, dict[str, Any]]] = []
        self._progress: dict[str, Any] | None = None
        self._lines = 0
        self._has_news = False
        self._writing: asyncio.Task[None] | None = None
        self._closed = asyncio.Event()
        self._started = time.monotonic()
        self.is_cancelled = False
        self.last_artifact: Artifact | None = None

    def progress(self, progress: dict[str, Any]) -> None:
        """See `Report.progress`."""
        with self._lock:
            self._progress = progress
        self._wake()

    def log(self, level: str, message: str) -> None:
        """See `Report.log`."""
        with self._lock:
            self._lines += 1
            if self._lines > _MOST_LINES:
                return
            if self._lines == _MOST_LINES:
                level, message = "warning", f"More than {_MOST_LINES} lines; the rest is not kept."
            self._events.append(("log", {"level": level, "message": message}))
        self._wake()

    def artifact(self, artifact: Artifact) -> None:
        """See `Report.artifact`."""
        with self._lock:
            self._events.append(("artifact", artifact.as_json()))
            self.last_artifact = artifact
        self._wake()

    async def close(self) -> None:
        """Take part in no more; what is not written yet is for a last `write`."""
        self._closed.set()
        if self._writing is not None:
            await self._writing

    async def write(self) -> None:
        """Write what was said since the last time.

        Raises:
            Unavailable: The database does not answer; nothing was lost.
        """
        with self._lock:
            events, progress = self._events, self._progress
            self._events, self._progress = [], None
        told = events if progress is None else [*events, ("progress", progress)]
        if not told:
            return
        claimed = self._claimed
        try:
            held = await self._repository.note(claimed.id, claimed.token, told, progress=progress)
        except Unavailable:
            with self._lock:
                self._events[:0] = events
                self._progress = self._progress or progress
            raise
        if held:
            self._notices.send(task_key(claimed.id))
        else:
            self._on_lost()

    def _wake(self) -> None:
        # Reading the flag from another thread is safe: it is cleared before the news is taken.
        if not self._has_news:
            self._has_news = True
            self._loop.call_soon_threadsafe(self._begin)

    def _begin(self) -> None:
        # Most tasks say nothing; only those that do get an asyncio task to write it.
        if self._writing is None and not self._closed.is_set():
            self._writing = self._loop.create_task(self._write_on(), name="reporter")

    async def _write_on(self) -> None:
        """Write what was said, again and again, until there is nothing new.

        Never cancel it: a write that is on its way would be lost.
        """
        while self._has_news and not self._closed.is_set():
            self._has_news = False
            try:
                await self.write()
            except Unavailable:
                self._has_news = True  # what could not be written was put back
            ran_s = time.monotonic() - self._started
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(_PAUSE_S, ran_s * _PAUSE_GROWS_BY)):
                    await self._closed.wait()
        self._writing = None
