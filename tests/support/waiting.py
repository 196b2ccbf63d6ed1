"""Wait for a condition, never for a time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

Found = TypeVar("Found")

_LOOK_EVERY_S = 0.02


async def wait_until(
    condition: Callable[[], Awaitable[Found]], *, within: float, what: str = "it"
) -> Found:
    """Return the first true answer of a condition.

    Raises:
        AssertionError: There was none in time; it tells the last answer.
    """
    deadline = time.monotonic() + within
    while True:
        answer = await condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {within} s: {answer!r}")
        await asyncio.sleep(_LOOK_EVERY_S)


def wait_for(condition: Callable[[], Found], *, within: float, what: str = "it") -> Found:
    """Return the first true answer of a plain condition, in a test without a loop."""

    async def ask() -> Found:
        return condition()

    return asyncio.run(wait_until(ask, within=within, what=what))


async def until(condition: Callable[[], bool], *, within: float, what: str = "it") -> None:
    """Wait until something in this process is true; see `wait_until`."""

    async def is_true() -> bool:
        return condition()

    await wait_until(is_true, within=within, what=what)
