"""Straight ways from our code to a client's socket, through uvicorn's own protocols.

An ASGI application sends by awaiting a coroutine, once for each message and client. These
subclasses of uvicorn's protocols (its ``ws=`` and ``http=`` options take a class) also let
bytes that are framed already be written by a plain call. They hand themselves over in the
scope's extensions; under another server there is none, and `AsgiWire` does the same by ASGI.
"""

import asyncio
import struct
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from starlette.types import Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

EXTENSION = "tasuki.wire"
_PING = b"\x89\x00"  # RFC 6455, 5.5.2
_CLOSE_WITHIN_S = 5.0
_SEND_WITHIN_S = 30.0


def text_frame(payload: bytes) -> bytes:
    """Return a WebSocket text message as a server sends it (RFC 6455, 5.2)."""
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", 0x81, size)
    elif size < 65536:
        head = struct.pack("!BBH", 0x81, 126, size)
    else:
        head = struct.pack("!BBQ", 0x81, 127, size)
    return head + payload


class FastWebSocket(WebSocketsSansIOProtocol):
    """A WebSocket that also takes frames; see `tasuki.realtime.outbox.Wire`."""

    on_writable: Callable[[], None] | None = None
    is_writable = True
    heard_at = 0.0

    def handle_connect(self, event: Any) -> None:
        """Hand this wire to the application."""
        super().handle_connect(event)
        if self.handshake_initiated and not self.handshake_complete:
            extensions: dict[str, Any] = self.scope["extensions"]
            extensions[EXTENSION] = self

    def data_received(self, data: bytes) -> None:
        """Note that the client lives."""
        self.heard_at = time.monotonic()
        super().data_received(data)

    def pause_writing(self) -> None:
        """The kernel takes no more, and some of it waits in memory."""
        self.is_writable = False
        super().pause_writing()

    def resume_writing(self) -> None:
        """The kernel takes more again."""
        self.is_writable = True
        super().resume_writing()
        if self.on_writable is not None:
            self.on_writable()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing can be written any more."""
        self.on_writable = None
        super().connection_lost(exc)

    def write(self, parts: Sequence[bytes]) -> None:
        """Send whole frames."""
        if not self.close_sent and not self.disconnected:
            self.transport.write(parts[0] if len(parts) == 1 else b"".join(parts))

    def ping(self) -> None:
        """Ask for a sign of life; any browser gives it by itself."""
        self.write([_PING])

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake; a client that does not take part is cut off."""
        if self.close_sent or self.disconnected:
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(_CLOSE_WITHIN_S, self.transport.abort)

    def abort(self) -> None:
        """Cut the client off without a word."""
        self.transport.abort()


class FastHttp(HttpToolsProtocol):
    """An HTTP connection whose response can be written to straight away, in chunks."""

    on_writable: Callable[[], None] | None = None
    is_writable = True

    def on_message_begin(self) -> None:
        """Hand this wire to the application."""
        super().on_message_begin()
        extensions: dict[str, Any] = {EXTENSION: self}
        self.scope["extensions"] = extensions

    def pause_writing(self) -> None:
        """The kernel takes no more, and some of it waits in memory."""
        self.is_writable = False
        super().pause_writing()

    def resume_writing(self) -> None:
        """The kernel takes more again."""
        self.is_writable = True
        super().resume_writing()
        if self.on_writable is not None:
            self.on_writable()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing can be written any more."""
        self.on_writable = None
        super().connection_lost(exc)

    def write(self, parts: Sequence[bytes]) -> None:
        """Send parts of the body."""
        cycle = self.cycle
        if cycle.disconnected or cycle.response_complete:
            return
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        # A client of HTTP/1.0 gets no chunks; its body ends with the connection.
        if cycle.chunked_encoding:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        self.transport.write(data)

    def wake(self) -> None:
        """Let a `receive` of the application return."""
        self.cycle.message_event.set()

    def abort(self) -> None:
        """Cut the client off without a word."""
        self.transport.abort()


class AsgiWire:
    """A way to a client by ASGI alone: one message after the other, in a task of its own.

    Args:
        send: The application's.
        message: Makes the ASGI message that carries a part.
    """

    def __init__(self, send: Send, message: Callable[[bytes], dict[str, Any]]) -> None:
        self.is_writable = True
        self.on_writable: Callable[[], None] | None = None
        self._send = send
        self._message = message
        self._parts: deque[bytes] = deque()
        self._last: dict[str, Any] | None = None
        self._has_more = asyncio.Event()
        self._is_cut = False

    @property
    def heard_at(self) -> float:
        """The server sees to it that its clients live; only it hears their pongs."""
        return time.monotonic()

    def write(self, parts: Sequence[bytes]) -> None:
        """Send parts as soon as those before them were taken."""
        self._parts.extend(parts)
        self.is_writable = False
        self._has_more.set()

    def ping(self) -> None:
        """Leave it to the server."""

    def close(self, code: int, reason: str) -> None:
        """Send what waits, then close a WebSocket."""
        self._last = {"type": "websocket.close", "code": code, "reason": reason}
        self._has_more.set()

    def wake(self) -> None:
        """Stop sending; the application says the last word itself."""
        self._is_cut = True
        self._has_more.set()

    def abort(self) -> None:
        """Stop sending; ASGI has no way to cut a client off, so its server must."""
        self.wake()

    async def run(self) -> None:
        """Send until closed, woken or cancelled.

        Raises:
            TimeoutError: The client took nothing for half a minute.
        """
        while not self._is_cut:
            await self._has_more.wait()
            self._has_more.clear()
            while self._parts and not self._is_cut:
                await self._deliver(self._message(self._parts.popleft()))
            if self._last is not None:
                await self._deliver(self._last)
                return
            self.is_writable = True
            if self.on_writable is not None:
                self.on_writable()

    async def _deliver(self, message: dict[str, Any]) -> None:
        async with asyncio.timeout(_SEND_WITHIN_S):
            await self._send(message)
