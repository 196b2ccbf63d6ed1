"""A task's own code while it runs, perhaps on the event loop of another thread."""

import asyncio
from collections.abc import Coroutine
from typing import Any


class Body:
    """Runs one coroutine on a loop and tells the engine's loop when it has ended.

    Attributes:
        ended: Done when the code has ended, its clean-up included.
        task: The asyncio task it runs in, once it has started.
        returned: What it returned.
        raised: What it raised; `asyncio.CancelledError` when it heeded a cancel.
    """

    def __init__(self, code: Coroutine[Any, Any, Any], *, loop: asyncio.AbstractEventLoop) -> None:
        """Start it on ``loop``; must be made on the engine's loop."""
        self._code = code
        self._loop = loop
        self._home = asyncio.get_running_loop()
        self._is_cancelled = False
        self.ended: asyncio.Future[None] = self._home.create_future()
        self.task: asyncio.Task[Any] | None = None
        self.returned: Any = None
        self.raised: BaseException | None = None
        self._on(self._loop, self._start)

    def cancel(self) -> None:
        """Interrupt it at its next ``await``."""
        self._on(self._loop, self._cancel)

    def _start(self) -> None:
        if self._is_cancelled:
            self._code.close()
            self.raised = asyncio.CancelledError()
            self._on(self._home, self._tell)
            return
        self.task = self._loop.create_task(self._run(), name="task-body")
        self.task.add_done_callback(self._done)

    async def _run(self) -> Any:
        return await self._code

    def _cancel(self) -> None:
        self._is_cancelled = True
        if self.task is not None:
            self.task.cancel()

    def _done(self, task: "asyncio.Task[Any]") -> None:
        self._code.close()  # or Python complains of code that was cancelled before its first step
        if task.cancelled():
            self.raised = asyncio.CancelledError()
        else:
            self.raised = task.exception()
            if self.raised is None:
                self.returned = task.result()
        self._on(self._home, self._tell)

    def _tell(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)

    def _on(self, loop: asyncio.AbstractEventLoop, call: Any) -> None:
        if loop is asyncio._get_running_loop():  # noqa: SLF001  # public in all but name, see its docs
            call()
        else:
            loop.call_soon_threadsafe(call)
