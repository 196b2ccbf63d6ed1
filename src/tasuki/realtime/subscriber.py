"""This process's own subscription to Redis or Valkey, on a connection of its own.

redis-py's pub/sub costs forty times the CPU of the parser beneath it, and connects again
without a word, so that nobody learns what was lost. Here one task reads whatever has come and
hands it on; every new connection is told, and silence is answered by a new one. It never waits
for those it tells, since the server cuts off subscribers that read slowly.
"""

import asyncio
import random
import ssl
import time
from collections.abc import Iterable
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

import hiredis

from tasuki.core.errors import Unavailable
from tasuki.core.logging import get_logger

log = get_logger(__name__)

_CONNECT_WITHIN_S = 3.0
_SUBSCRIBE_WITHIN_S = 5.0
_PING_EVERY_S = 5.0
_SILENT_FOR_S = 10.0
_READ_BYTES = 262_144
_AT_ONCE = 512  # channels of one SUBSCRIBE


class Hearer(Protocol):
    """Who is told; never blocks."""

    def heard(self, channel: str, message: bytes) -> None:
        """A message came."""
        ...

    def missed(self) -> None:
        """There is a new connection, and what came between the two was not heard."""
        ...


class Subscriber:
    """Subscribes to channels, through as many connections as it takes, one at a time.

    Args:
        prefix: Stands before each channel's name on the server.

    Attributes:
        lag_s: How long the answer to the last question took, behind all that was on its way.
    """

    def __init__(self, url: str, *, prefix: str) -> None:
        self._url = url
        self._prefix = prefix
        self._hearer: Hearer | None = None
        self._wanted: dict[str, asyncio.Future[None]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._heard_at = 0.0
        self._pinged_at = 0.0
        self._has_connected = False
        self.lag_s = 0.0

    def listen(self, hearer: Hearer) -> None:
        """Set who is told."""
        self._hearer = hearer

    def start(self) -> None:
        """Connect, and connect again whenever it is lost."""
        self._reading = asyncio.create_task(self._run(), name="realtime-subscriber")

    async def close(self) -> None:
        """End the connection."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    @property
    def is_connected(self) -> bool:
        """Whether messages come in."""
        return self._writer is not None

    async def subscribe(self, channel: str) -> None:
        """Return once the server brings everything that is published in a channel.

        Raises:
            Unavailable: It did not confirm that in time.
        """
        confirmed = self._wanted.get(channel)
        if confirmed is None:
            confirmed = self._wanted[channel] = asyncio.get_running_loop().create_future()
            self._say("SUBSCRIBE", self._prefix + channel)
        if not confirmed.done():
            await asyncio.wait({confirmed}, timeout=_SUBSCRIBE_WITHIN_S)
        if not confirmed.done():
            raise Unavailable("Redis does not confirm a subscription.", retry_after_s=1)

    def unsubscribe(self, channel: str) -> None:
        """Hear nothing more of a channel."""
        if self._wanted.pop(channel, None) is not None:
            self._say("UNSUBSCRIBE", self._prefix + channel)

    async def _run(self) -> None:
        while True:
            try:
                await self._listen_once()
            except (OSError, EOFError, TimeoutError, hiredis.HiredisError) as exc:
                log.warning("realtime_disconnected", error=repr(exc))
            finally:
                self._disconnect()
            await asyncio.sleep(random.uniform(0.05, 0.5))  # noqa: S311  # spreads load

    async def _listen_once(self) -> None:
        async with asyncio.timeout(_CONNECT_WITHIN_S):
            stream, self._writer = await _connect(self._url)
        parser = hiredis.Reader()
        self._heard_at = time.monotonic()
        for some in _some(list(self._wanted)):
            self._say("SUBSCRIBE", *(self._prefix + channel for channel in some))
        if self._has_connected and not self._wanted:
            self._missed()
        waits = set(self._wanted) if self._has_connected else set()
        self._has_connected = True
        while True:
            data = await self._read(stream)
            parser.feed(data)
            while (message := parser.gets()) is not False:
                self._take(message)
                if waits and message[0] == b"subscribe":
                    waits.discard(self._channel(message[1]))
                    if not waits:
                        self._missed()

    async def _read(self, stream: asyncio.StreamReader) -> bytes:
        """Return what came; ask for a sign of life meanwhile.

        Raises:
            OSError: The connection is lost, or silent.
        """
        while True:
            self._ping()
            try:
                async with asyncio.timeout(_PING_EVERY_S):
                    data = await stream.read(_READ_BYTES)
            except TimeoutError:
                if time.monotonic() - self._heard_at > _SILENT_FOR_S:
                    raise ConnectionError("the server stays silent") from None
                continue
            if not data:
                raise ConnectionError("the server closed the connection")
            self._heard_at = time.monotonic()
            return data

    def _ping(self) -> None:
        now = time.monotonic()
        if now - self._pinged_at >= _PING_EVERY_S:
            self._pinged_at = now
            self._say("PING")

    def _take(self, message: Any) -> None:
        if isinstance(message, hiredis.ReplyError):
            raise ConnectionError(str(message))
        if not isinstance(message, list):
            return
        if message[0] == b"message" and self._hearer is not None:
            self._hearer.heard(self._channel(message[1]), message[2])
        elif message[0] == b"subscribe":
            confirmed = self._wanted.get(self._channel(message[1]))
            if confirmed is not None and not confirmed.done():
                confirmed.set_result(None)
        elif message[0] == b"pong":
            self.lag_s = time.monotonic() - self._pinged_at

    def _channel(self, name: bytes) -> str:
        return name.decode()[len(self._prefix) :]

    def _missed(self) -> None:
        if self._hearer is not None:
            self._hearer.missed()

    def _say(self, *words: str) -> None:
        # Without a connection nothing needs to be said: the next one begins with all of it.
        if self._writer is not None:
            self._writer.write(_pack(*words))

    def _disconnect(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer = None


async def _connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a connection and sign in as the URL says."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        stream, writer = await asyncio.open_unix_connection(parts.path)
    else:
        stream, writer = await asyncio.open_connection(
            parts.hostname or "127.0.0.1",
            parts.port or 6379,
            ssl=ssl.create_default_context() if parts.scheme == "rediss" else None,
        )
    try:
        if parts.password:
            user = [unquote(parts.username)] if parts.username else []
            await _sign_in(stream, writer, *user, unquote(parts.password))
    except BaseException:  # a cancel as well: nobody else knows of this connection yet
        writer.close()
        raise
    return stream, writer


def _pack(*words: str) -> bytes:
    command: Any = words  # the stubs know commands of one word only
    packed: bytes = hiredis.pack_command(command)
    return packed


async def _sign_in(
    stream: asyncio.StreamReader, writer: asyncio.StreamWriter, *words: str
) -> None:
    writer.write(_pack("AUTH", *words))
    answer = await stream.readuntil(b"\r\n")
    if not answer.startswith(b"+OK"):
        raise ConnectionError(f"the server refuses us: {answer.decode(errors='replace')}")


def _some(channels: list[str]) -> Iterable[list[str]]:
    for start in range(0, len(channels), _AT_ONCE):
        yield channels[start : start + _AT_ONCE]
