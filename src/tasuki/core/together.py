"""Many small writes as one.

While one call is on its way the next items gather, and then go together. Under load many cost
one round trip and one commit; alone, an item waits for nobody.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Together(Generic[Item, Result]):
    """Hands items to a function, those that come together in one call.

    It holds no more items than there are callers that wait. An item goes its way even if its
    caller does not wait any more.

    Args:
        work: Takes items and returns a result for each, in their order.
        most: Items of one call.
        linger_s: Wait so long before each call, for items that may come.
        name: Of the asyncio task that makes the calls.
    """

    def __init__(
        self,
        work: Callable[[list[Item]], Awaitable[Sequence[Result]]],
        *,
        most: int,
        name: str,
        linger_s: float = 0.0,
    ) -> None:
        self._work = work
        self._most = most
        self._linger_s = linger_s
        self._name = name
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._working: asyncio.Task[None] | None = None

    async def do(self, item: Item) -> Result:
        """Hand over an item and return its result; an error of a call is raised for all in it."""
        result: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, result))
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._run(), name=self._name)
        return await result

    async def _run(self) -> None:
        while self._waiting:
            if self._linger_s and len(self._waiting) < self._most:
                await asyncio.sleep(self._linger_s)
            taken = self._waiting[: self._most]
            del self._waiting[: self._most]
            await self._call(taken)

    async def _call(self, taken: list[tuple[Item, "asyncio.Future[Result]"]]) -> None:
        try:
            results = await self._work([item for item, _ in taken])
        except Exception as exc:  # noqa: BLE001  # each waiter gets it and decides
            for _, waiter in taken:
                if not waiter.done():
                    waiter.set_exception(exc)
            return
        for (_, waiter), result in zip(taken, results, strict=True):
            if not waiter.done():
                waiter.set_result(result)
