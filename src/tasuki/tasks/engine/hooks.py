"""Calls hooks: after the end, within a time limit, and without harm."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace

from tasuki.core.background import Background
from tasuki.core.logging import get_logger
from tasuki.core.registry import Registry
from tasuki.tasks.declare import Catalogue
from tasuki.tasks.engine.body import Body
from tasuki.tasks.hooks import Ended, Hook, Hooks
from tasuki.tasks.states import State

log = get_logger(__name__)

LONGEST_S = 10.0
"""A hook that takes longer is interrupted."""
_MOST_LATER = 1_000  # ends that wait for their hooks; of more the hooks are left out
_AT_ONCE = 10


class HookCaller:
    """Calls the hooks of one process.

    Args:
        hooks: Those of all tasks; each task may have its own besides.
        services: What `Ended.get` finds; made for ``loop``.
        loop: Where tasks' own code runs, hooks included.
    """

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        hooks: Sequence[Hooks],
        services: Registry,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._catalogue = catalogue
        self._hooks = tuple(hooks)
        self._services = services
        self._loop = loop
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._later = Background()

    def find(self, name: str, state: State) -> list[Hook]:
        """Return what is to be called when a task has come to a state: its own hook first."""
        declared = self._catalogue.find(name)
        own = declared.hooks if declared is not None else None
        every = (own, *self._hooks) if own is not None else self._hooks
        return [hook for hooks in every if (hook := hooks.for_state(state)) is not None]

    async def call(self, ended: Ended) -> None:
        """Call the hooks of an end, one after the other. Never raises for their sake."""
        for hook in self.find(ended.name, ended.state):
            await self._call(hook, replace(ended, services=self._services))

    def call_later(self, ended: Iterable[Ended]) -> None:
        """Call the hooks of ends soon, some at a time, while the caller goes on."""
        for one in ended:
            if not self.find(one.name, one.state):
                continue
            if len(self._later) >= _MOST_LATER:
                log.warning("hooks_left_out", task=one.name, task_id=str(one.task_id))
                continue
            _ = self._later.start(self._call_in_turn(one), name="hooks")

    async def close(self) -> None:
        """Interrupt what `call_later` began."""
        await self._later.close()

    async def _call_in_turn(self, ended: Ended) -> None:
        async with self._room:
            await self.call(ended)

    async def _call(self, hook: Hook, ended: Ended) -> None:
        about = {"task": ended.name, "task_id": str(ended.task_id), "state": ended.state.value}
        body = Body(_run(hook, ended), loop=self._loop)
        try:
            await asyncio.wait({body.ended}, timeout=LONGEST_S)
            if not body.ended.done():
                log.warning("hook_too_slow", longest_s=LONGEST_S, **about)
            elif body.raised is not None:
                log.warning("hook_failed", exc_info=body.raised, **about)
        finally:
            if not body.ended.done():
                body.cancel()


async def _run(hook: Hook, ended: Ended) -> None:
    await hook(ended)
