"""Loaded by every process: nobody rings for what was ordered."""

import asyncio

from tasuki.tasks.engine.dispatcher import Dispatcher


async def _sleep_for_ever(self: Dispatcher) -> None:
    del self
    await asyncio.Event().wait()


Dispatcher.run_for_ever = _sleep_for_ever  # type: ignore[method-assign]  # what a mutant is
