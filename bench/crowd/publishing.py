"""Publishing with Tasuki, one after the other or several at once."""

import asyncio
import time

from bench.crowd.channel import CHANNEL, Tick
from bench.crowd.message import TEXT

from tasuki import Tasuki


async def publish(tasuki: Tasuki, *, count: int, together: int, first: int) -> float:
    """Publish messages; return when it began, by `time.monotonic`."""
    began = time.monotonic()
    for start in range(first, first + count, together):
        numbers = range(start, min(start + together, first + count))
        await asyncio.gather(
            *(tasuki.publish(CHANNEL, Tick(number=number, text=TEXT)) for number in numbers)
        )
    return began
