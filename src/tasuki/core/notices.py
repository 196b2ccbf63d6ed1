"""Notices: "this key changed", told to everyone who cares.

A notice carries no data, only a key such as ``task:0190…``; who cares reads the truth from
the database. Losing one costs a delay and never an answer, because every listener also looks
on its own from time to time. How notices cross processes is for an adapter in ``realtime``.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Protocol


class Waiter:
    """Waits for a notice on one of its keys."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def wake(self) -> None:
        """Let the next `wait` return at once."""
        self._changed.set()

    def came(self) -> bool:
        """Return whether a notice came since the last question, without waiting."""
        is_set = self._changed.is_set()
        self._changed.clear()
        return is_set

    async def wait(self, *, within_s: float) -> bool:
        """Return whether a notice came within so many seconds; one that came before counts."""
        try:
            async with asyncio.timeout(within_s):
                await self._changed.wait()
        except TimeoutError:
            return False
        self._changed.clear()
        return True


class Notices(Protocol):
    """Tells every process that something changed.

    Every adapter passes ``tests/contract/test_notices.py``.
    """

    def send(self, *keys: str) -> None:
        """Tell that these keys changed. Never blocks and never fails; call it after the commit."""
        ...

    def listen(self, *keys: str) -> AbstractContextManager[Waiter]:
        """Open a `Waiter` for these keys for as long as the block runs."""
        ...

    def call(self, callback: Callable[[], None], *keys: str) -> Callable[[], None]:
        """Have a callback called at each notice on one of these keys.

        Returns:
            What ends it.
        """
        ...

    def wake_all(self) -> None:
        """Wake everyone in this process: it stops, or may have missed something."""
        ...


class _Callback:
    """Calls instead of waking somebody who waits."""

    __slots__ = ("wake",)

    def __init__(self, callback: Callable[[], None]) -> None:
        self.wake = callback


class MemoryNotices:
    """Notices within one process and one event loop."""

    def __init__(self) -> None:
        self._waiters: dict[str, set[Waiter | _Callback]] = defaultdict(set)

    def send(self, *keys: str) -> None:
        """See `Notices.send`."""
        for key in keys:
            for waiter in tuple(self._waiters.get(key, ())):
                waiter.wake()

    @contextmanager
    def listen(self, *keys: str) -> Generator[Waiter]:
        """See `Notices.listen`."""
        waiter = Waiter()
        self._add(waiter, keys)
        try:
            yield waiter
        finally:
            self._remove(waiter, keys)

    def call(self, callback: Callable[[], None], *keys: str) -> Callable[[], None]:
        """See `Notices.call`."""
        called = _Callback(callback)
        self._add(called, keys)
        return partial(self._remove, called, keys)

    def wake_all(self) -> None:
        """See `Notices.wake_all`."""
        self.send(*list(self._waiters))

    def _add(self, waiter: Waiter | _Callback, keys: tuple[str, ...]) -> None:
        for key in keys:
            self._waiters[key].add(waiter)

    def _remove(self, waiter: Waiter | _Callback, keys: tuple[str, ...]) -> None:
        for key in keys:
            self._waiters[key].discard(waiter)
            if not self._waiters[key]:
                del self._waiters[key]
