"""Notices: "this key changed", carried from any process to every process that cares.

A notice carries no data, only a key such as ``task:0190…``; who cares reads the truth from
the database. Losing one costs a delay and never an answer, because every listener also looks
on its own from time to time.
"""

import asyncio
import contextlib
import json
from collections import defaultdict
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

import redis.asyncio as redis
from redis.exceptions import RedisError

from tasuki.core.logging import get_logger

log = get_logger(__name__)

_CHANNEL = "tasuki:notices"
_MOST_WAITING = 10_000  # keys not sent yet; beyond it listeners find out by looking
_KEYS_PER_MESSAGE = 200
_RECONNECT_S = 0.5
_SILENCE_S = 5.0  # a ping is sent after so long without a message


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

    def wake_all(self) -> None:
        """Wake everyone in this process: it stops, or may have missed something."""
        ...


class MemoryNotices:
    """Notices within one process and one event loop."""

    def __init__(self) -> None:
        self._waiters: dict[str, set[Waiter]] = defaultdict(set)

    def send(self, *keys: str) -> None:
        """See `Notices.send`."""
        for key in keys:
            for waiter in self._waiters.get(key, ()):
                waiter.wake()

    @contextmanager
    def listen(self, *keys: str) -> Generator[Waiter]:
        """See `Notices.listen`."""
        waiter = Waiter()
        for key in keys:
            self._waiters[key].add(waiter)
        try:
            yield waiter
        finally:
            for key in keys:
                self._waiters[key].discard(waiter)
                if not self._waiters[key]:
                    del self._waiters[key]

    def wake_all(self) -> None:
        """See `Notices.wake_all`."""
        self.send(*list(self._waiters))


class RedisNotices:
    """Notices across processes, over one Redis or Valkey channel.

    A sender task gathers keys while a message is on its way, so that a burst costs few
    messages. A listener task wakes everyone after a reconnect, since notices sent meanwhile
    are gone.

    Args:
        url: ``redis://…``; Valkey alike.
    """

    def __init__(self, url: str) -> None:
        self._client: redis.Redis = redis.Redis.from_url(
            url,
            socket_connect_timeout=2,
            socket_timeout=5,
            socket_keepalive=True,
            health_check_interval=15,
        )
        self._local = MemoryNotices()
        self._unsent: dict[str, None] = {}
        self._has_unsent = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, *, listening: bool = True) -> None:
        """Begin to send and, unless this process only sends, to listen."""
        self._tasks.append(asyncio.create_task(self._send_for_ever(), name="notices-send"))
        if listening:
            self._tasks.append(asyncio.create_task(self._hear_for_ever(), name="notices-hear"))

    async def close(self) -> None:
        """Send what waits, within a second, and let go of the connections."""
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(1):
                await self._send_waiting()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(RedisError, OSError):
            await self._client.aclose()

    def send(self, *keys: str) -> None:
        """See `Notices.send`."""
        if len(self._unsent) < _MOST_WAITING:
            self._unsent.update(dict.fromkeys(keys))
        self._has_unsent.set()

    def listen(self, *keys: str) -> AbstractContextManager[Waiter]:
        """See `Notices.listen`."""
        return self._local.listen(*keys)

    def wake_all(self) -> None:
        """See `Notices.wake_all`."""
        self._local.wake_all()

    async def _send_for_ever(self) -> None:
        while True:
            await self._has_unsent.wait()
            try:
                await self._send_waiting()
            except (RedisError, OSError) as exc:
                log.warning("notices_not_sent", error=repr(exc))
                await asyncio.sleep(_RECONNECT_S)

    async def _send_waiting(self) -> None:
        self._has_unsent.clear()
        # Taken out before they are sent: a key that changes again meanwhile is sent again.
        taken, self._unsent = list(self._unsent), {}
        self._local.send(*taken)
        for start in range(0, len(taken), _KEYS_PER_MESSAGE):
            keys = taken[start : start + _KEYS_PER_MESSAGE]
            await self._client.publish(_CHANNEL, json.dumps(keys))

    async def _hear_for_ever(self) -> None:
        while True:
            try:
                await self._hear()
            except (RedisError, OSError) as exc:
                log.warning("notices_not_heard", error=repr(exc))
            await asyncio.sleep(_RECONNECT_S)

    async def _hear(self) -> None:
        async with self._client.pubsub() as channel:
            await channel.subscribe(_CHANNEL)
            self._local.wake_all()
            while True:
                message = await channel.get_message(
                    ignore_subscribe_messages=True, timeout=_SILENCE_S
                )
                if message is not None:
                    self._local.send(*_keys_in(message))


def _keys_in(message: dict[str, Any]) -> list[str]:
    """Read the keys of a message; anything that is not ours is no notice."""
    try:
        keys = json.loads(message["data"])
    except (ValueError, RecursionError, TypeError):
        return []
    if not isinstance(keys, list):
        return []
    return [key for key in keys if isinstance(key, str)]
