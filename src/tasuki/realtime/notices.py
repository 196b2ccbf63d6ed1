"""Notices across processes, over one Redis or Valkey channel."""

import asyncio
import contextlib
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from redis.exceptions import RedisError

from tasuki.core.logging import get_logger
from tasuki.core.notices import MemoryNotices, Waiter
from tasuki.realtime.client import redis_client

log = get_logger(__name__)

_CHANNEL = "tasuki:notices"
_MOST_WAITING = 10_000  # keys not sent yet; beyond it listeners find out by looking
_KEYS_PER_MESSAGE = 200
_RECONNECT_S = 0.5
_CANCEL_AGAIN_S = 0.1
_SILENCE_S = 5.0  # a ping is sent after so long without a message


class RedisNotices:
    """Notices across processes, over one Redis or Valkey channel.

    A sender task gathers keys while a message is on its way, so that a burst costs few
    messages. A listener task wakes everyone after a reconnect, since notices sent meanwhile
    are gone.

    Args:
        url: ``redis://…``; Valkey alike.
    """

    def __init__(self, url: str) -> None:
        self._client = redis_client(url)
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
        running = set(self._tasks)
        while running:
            # Again and again: redis-py swallows a cancellation that comes while it connects.
            for task in running:
                task.cancel()
            _, running = await asyncio.wait(running, timeout=_CANCEL_AGAIN_S)
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(RedisError, OSError):
            await self._client.aclose()

    def send(self, *keys: str) -> None:
        """See `Notices.send`."""
        if not keys:
            return
        if len(self._unsent) < _MOST_WAITING:
            self._unsent.update(dict.fromkeys(keys))
        self._has_unsent.set()

    def listen(self, *keys: str) -> AbstractContextManager[Waiter]:
        """See `Notices.listen`."""
        return self._local.listen(*keys)

    def call(self, callback: Callable[[], None], *keys: str) -> Callable[[], None]:
        """See `Notices.call`."""
        return self._local.call(callback, *keys)

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
