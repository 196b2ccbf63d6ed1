"""Writes the ends of attempts, those that come together in one transaction.

While one write is on its way the next ends gather. Under load this makes many ends cost one
round trip and one commit; alone, an end waits for nobody.
"""

import asyncio
from typing import Any

from tasuki.core.notices import Notices
from tasuki.tasks.engine.repository import End, EngineRepository
from tasuki.tasks.records import Moved
from tasuki.tasks.service import DISPATCH_KEY, tell

_MOST_TOGETHER = 200


class Ender:
    """Gathers ends and writes them."""

    def __init__(self, repository: EngineRepository, notices: Notices) -> None:
        self._repository = repository
        self._notices = notices
        self._waiting: list[tuple[End, asyncio.Future[Moved | None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def end(self, end: End) -> Moved | None:
        """Write an end.

        Returns:
            Where the task is now: a cancel wins over another attempt. Nothing when the task
            was not held any more and was not changed.

        Raises:
            Unavailable: The database does not answer; nothing was written.
        """
        written: asyncio.Future[Moved | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((end, written))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write(), name="ender")
        return await written

    async def _write(self) -> None:
        while self._waiting:
            together = self._waiting[:_MOST_TOGETHER]
            del self._waiting[:_MOST_TOGETHER]
            await self._write_together(together)

    async def _write_together(self, together: list[tuple[End, Any]]) -> None:
        try:
            moved = await self._repository.end([end for end, _ in together])
        except Exception as exc:  # noqa: BLE001  # each waiter gets it and decides
            for _, written in together:
                if not written.done():
                    written.set_exception(exc)
            return
        tell(self._notices, moved)
        if any(end.pause_s is not None for end, _ in together):
            self._notices.send(DISPATCH_KEY)
        accepted = {task.id: task for task in moved}
        for end, written in together:
            if not written.done():
                written.set_result(accepted.get(end.id))
