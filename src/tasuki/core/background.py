"""Asyncio tasks that run beside their owner and end with it."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from tasuki.core.logging import get_logger

log = get_logger(__name__)

_AFTER_FAULT_S = 1.0


class Background:
    """Keeps the tasks of one owner, who closes it.

    asyncio itself holds tasks only weakly; one that nobody keeps may vanish in the middle.
    """

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """How many have not ended."""
        return len(self._running)

    def start(self, work: Coroutine[Any, Any, None], *, name: str) -> "asyncio.Task[None]":
        """Run a coroutine beside the caller."""
        task = asyncio.create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    def keep(self, loop: Callable[[], Awaitable[None]], *, name: str) -> None:
        """Run a loop for good; if a fault in it ends it, say so and begin it again."""
        _ = self.start(_for_ever(loop, name), name=name)

    async def close(self) -> None:
        """Interrupt what runs, and wait until it has ended."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _for_ever(loop: Callable[[], Awaitable[None]], name: str) -> None:
    while True:
        try:
            await loop()
        except Exception:
            log.exception("engine_loop_failed", loop=name)
        await asyncio.sleep(_AFTER_FAULT_S)
