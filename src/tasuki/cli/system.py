"""A connected system for the length of one command."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tasuki.wiring import Settings, Tasuki

Result = TypeVar("Result")


def with_system(settings: Settings, work: Callable[[Tasuki], Awaitable[Result]]) -> Result:
    """Run work on a connected system, and close its connections after it."""

    async def run() -> Result:
        async with Tasuki(settings).connected() as tasuki:
            return await work(tasuki)

    return asyncio.run(run())
