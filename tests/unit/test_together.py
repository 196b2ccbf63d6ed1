"""Many small writes as one."""

import asyncio

import pytest

from tasuki.core.together import Together


class Writer:
    """Notes each call, and takes as long as the test wants."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.may_go = asyncio.Event()

    async def write(self, items: list[int]) -> list[int]:
        """Return the squares; a 13 fails the whole call."""
        self.calls.append(items)
        await self.may_go.wait()
        if 13 in items:
            raise ValueError("unlucky")
        return [item * item for item in items]


async def test_what_comes_in_while_a_call_is_on_its_way_goes_together() -> None:
    """Under load many cost one round trip, and each caller gets the result of its own item."""
    writer = Writer()
    together = Together(writer.write, most=3, name="squares")
    callers = [asyncio.create_task(together.do(item)) for item in range(1)]
    await asyncio.sleep(0)  # the first is on its way
    callers += [asyncio.create_task(together.do(item)) for item in range(1, 6)]
    await asyncio.sleep(0)

    writer.may_go.set()

    assert await asyncio.gather(*callers) == [0, 1, 4, 9, 16, 25]
    assert writer.calls == [[0], [1, 2, 3], [4, 5]]


async def test_a_failed_call_is_the_failure_of_all_in_it_and_of_no_other() -> None:
    """Nobody is told that all is well when it is not, and the next call is a new one."""
    writer = Writer()
    writer.may_go.set()
    together = Together(writer.write, most=10, name="squares")

    failed = await asyncio.gather(together.do(13), together.do(2), return_exceptions=True)

    assert [type(one) for one in failed] == [ValueError, ValueError]
    assert await together.do(3) == 9


async def test_a_caller_that_goes_away_takes_nobody_along() -> None:
    """A request may be cancelled while its item is written; its neighbours' answers come."""
    writer = Writer()
    together = Together(writer.write, most=10, name="squares")
    first = asyncio.create_task(together.do(2))
    leaving = asyncio.create_task(together.do(3))
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    leaving.cancel()
    writer.may_go.set()

    assert await first == 4
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert writer.calls == [[2, 3]]
