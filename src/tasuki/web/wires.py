"""Straight ways from our code to a client's socket, through uvicorn's own protocols.

An ASGI application sends by awaiting a coroutine, once for each message and client. These
subclasses of uvicorn's protocols (its ``http=`` and ``ws=`` options take a class) also let bytes
be written by a plain call. They hand themselves over in the scope's extensions; under another
server there is none, and the wires of ASGI do the same, slower.
"""

import asyncio
import logging
import struct
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol

from starlette.types import Send
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

EXTENSION = "tasuki.wire"
MAX_MESSAGE_BYTES = 65_536
"""Of a WebSocket; a larger one closes it with 1009 (RFC 6455, 7.4.1)."""
_QUIET = logging.getLogger(__name__)
_QUIET.setLevel(logging.WARNING)
_PING = b"\x89\x00"  # RFC 6455, 5.5.2
_SEND_WITHIN_S = 10.0
_OF_A_STREAM: Any = {"method": "GET"}  # what uvicorn asks of a request that is being answered
_NOBODY_WAITS = asyncio.Event()
_CLOSE_WITHIN_S = 2.0


class SocketWire(Protocol):
    """The way to the client of a WebSocket; see also `tasuki.realtime.outbox.Wire`."""

    is_writable: bool
    on_writable: Callable[[], None] | None

    @property
    def heard_at(self) -> float:
        """When the client last sent anything, by `time.monotonic`."""
        ...

    def write(self, parts: Sequence[bytes]) -> None:
        """Send messages, one after the other, each as `frame` made it."""
        ...

    def frame(self, message: bytes) -> bytes:
        """Return a message's text as this wire takes it; the same for all wires of a class."""
        ...

    def ping(self) -> None:
        """Ask for a sign of life."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake; a client that does not take part is cut off."""
        ...

    def abort(self) -> None:
        """Cut the client off without a word."""
        ...


class _Straight(asyncio.Protocol):
    """What both protocols of uvicorn lack: being asked whether they can be written to."""

    on_writable: Callable[[], None] | None = None
    is_writable = True
    transport: asyncio.Transport

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

    def abort(self) -> None:
        """Cut the client off without a word."""
        self.transport.abort()


class _Flow(FlowControl):
    """Makes what a paused writer waits for only when one does: an event weighs a kilobyte."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.read_paused = False
        self.write_paused = False
        self._resumed: asyncio.Event | None = None

    async def drain(self) -> None:
        if self.write_paused:
            self._resumed = self._resumed or asyncio.Event()
            await self._resumed.wait()

    def pause_writing(self) -> None:
        self.write_paused = True

    def resume_writing(self) -> None:
        self.write_paused = False
        if self._resumed is not None:
            self._resumed.set()
            self._resumed = None


class FastHttp(_Straight, HttpToolsProtocol):
    """An HTTP connection whose response can be written to straight away, in chunks.

    See `tasuki.realtime.outbox.Wire`.
    """

    __slots__ = ("_gone", "_served", "is_writable", "on_writable")  # see `FastWebSocket`

    _served: RequestResponseCycle

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.is_writable = True
        self.on_writable = None
        self._gone: asyncio.Future[None] | None = None
        super().__init__(*args, **kwargs)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to read."""
        super().connection_made(transport)
        self.flow = _Flow(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let who streams know, also when the client had sent more requests behind that one."""
        super().connection_lost(exc)
        if self.cycle is not None:
            self._served.disconnected = True
            self._stir()

    def on_message_begin(self) -> None:
        """Hand this wire to the application."""
        super().on_message_begin()
        extensions: dict[str, Any] = {EXTENSION: self}
        self.scope["extensions"] = extensions

    def on_body(self, body: bytes) -> None:
        """Keep it for the application, unless that only waits for the client to leave."""
        if self._gone is None or self.cycle is not self._served:
            super().on_body(body)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        # `self.cycle` is the last request that was read, and a client may send several at once.
        self._served = cycle
        super()._start_asgi_task(cycle, app)

    async def until_gone(self) -> None:
        """Wait for the client to leave, or for `wake`; may be called once the response began.

        What nobody needs meanwhile of the request and of uvicorn is let go: three kilobytes.
        """
        served = self._served
        if served.disconnected:
            return
        if self.scope is served.scope:  # no other request is on its way
            self.scope, self.headers, self.url = _OF_A_STREAM, [], b""
        served.scope, served.message_event = _OF_A_STREAM, _NOBODY_WAITS
        self.flow.resume_reading()  # or it would never be noticed
        self._gone = self.loop.create_future()
        await self._gone

    def write(self, parts: Sequence[bytes]) -> None:
        """Send parts of the body."""
        cycle = self._served
        if cycle.disconnected or cycle.response_complete:
            return
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        # A client of HTTP/1.0 gets no chunks; its body ends with the connection.
        if cycle.chunked_encoding:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        self.transport.write(data)

    def wake(self) -> None:
        """Let `until_gone` return; the connection ends with the response.

        Who is sent away would come back by it, and so to a process that stops.
        """
        self._served.keep_alive = False
        self._stir()

    def _stir(self) -> None:
        self._served.message_event.set()
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)


class FastWebSocket(_Straight, WebSocketsSansIOProtocol):
    """A WebSocket that takes frames made for many clients; see `SocketWire`."""

    # What is read for each message, and so many names of uvicorn's that no more than thirty are
    # left: CPython shares the dictionary of larger objects with nobody, a kilobyte for each.
    __slots__ = (
        "close_sent",
        "close_timeout",
        "close_timer",
        "conn",
        "default_headers",
        "disconnected",
        "frames",
        "heard_at",
        "initial_response",
        "is_writable",
        "last_ping_rtt",
        "on_writable",
        "pending_ping_payload",
        "ping_interval",
        "ping_sent_at",
        "ping_timeout",
        "ping_timer",
        "pong_timer",
        "queue",
        "transport",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Write no line of each handshake: it would hold the query, and so tickets."""
        self.heard_at = 0.0
        self.is_writable = True
        self.on_writable = None
        super().__init__(*args, **kwargs)
        self.logger = self.conn.logger = _QUIET

    def handle_connect(self, event: Any) -> None:
        """Hand this wire to the application."""
        super().handle_connect(event)
        if not self.close_sent:  # it was no handshake, and is answered
            extensions: dict[str, Any] = {**self.scope["extensions"], EXTENSION: self}
            self.scope["extensions"] = extensions

    def data_received(self, data: bytes) -> None:
        """Note that the client lives."""
        self.heard_at = time.monotonic()
        super().data_received(data)

    def write(self, parts: Sequence[bytes]) -> None:
        """See `SocketWire.write`."""
        if not self.close_sent and not self.disconnected:
            self.transport.write(parts[0] if len(parts) == 1 else b"".join(parts))

    @staticmethod
    def frame(message: bytes) -> bytes:
        """Return a text frame as a server sends it (RFC 6455, 5.2)."""
        size = len(message)
        if size < 126:
            head = struct.pack("!BB", 0x81, size)
        elif size < 65536:
            head = struct.pack("!BBH", 0x81, 126, size)
        else:
            head = struct.pack("!BBQ", 0x81, 127, size)
        return head + message

    def ping(self) -> None:
        """See `SocketWire.ping`; any browser answers by itself."""
        self.write([_PING])

    def close(self, code: int, reason: str) -> None:
        """See `SocketWire.close`."""
        if self.close_sent or self.disconnected:
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if self.read_paused:  # or the client's own closing frame would never be read
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(_CLOSE_WITHIN_S, self.transport.abort)


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
        self._has_more = asyncio.Event()
        self._last: dict[str, Any] | None = None
        self._is_over = False
        self._is_cut = False

    def write(self, parts: Sequence[bytes]) -> None:
        """Send parts as soon as those before them were taken."""
        self._parts.extend(parts)
        self.is_writable = False
        self._has_more.set()

    def wake(self) -> None:
        """Stop when all was sent; the application says the last word itself."""
        self._is_over = True
        self._has_more.set()

    def abort(self) -> None:
        """Stop sending; ASGI has no way to cut a client off, so its server must."""
        self._is_cut = True
        self.wake()

    async def run(self) -> None:
        """Send until cut or cancelled, or it is over and all was sent.

        Raises:
            TimeoutError: The client took nothing for ten seconds.
        """
        while not self._is_cut:
            await self._has_more.wait()
            self._has_more.clear()
            while self._parts and not self._is_cut:
                await self._deliver(self._message(self._parts.popleft()))
            self.is_writable = True
            if self.on_writable is not None:
                self.on_writable()  # and it may write more
            if self._is_over and not self._parts:
                break
        if self._last is not None and not self._is_cut:
            await self._deliver(self._last)

    async def _deliver(self, message: dict[str, Any]) -> None:
        async with asyncio.timeout(_SEND_WITHIN_S):
            await self._send(message)


class AsgiSocketWire(AsgiWire):
    """The same for a WebSocket; see `SocketWire`."""

    def __init__(self, send: Send) -> None:
        super().__init__(send, _text_message)

    @property
    def heard_at(self) -> float:
        """Now; only the server hears whether its clients live, and cuts off the others."""
        return time.monotonic()

    @staticmethod
    def frame(message: bytes) -> bytes:
        """Return the text itself; the server makes frames."""
        return message

    def ping(self) -> None:
        """Leave it to the server."""

    def close(self, code: int, reason: str) -> None:
        """See `SocketWire.close`."""
        self._last = {"type": "websocket.close", "code": code, "reason": reason}
        self.wake()


async def write_beside(wire: object, work: Coroutine[Any, Any, None]) -> None:
    """Do work to its end, and the writing of a wire that needs a task for it; or until that ends.

    It ends when the client was closed, or takes nothing.
    """
    if not isinstance(wire, AsgiWire):
        await work
        return
    both = [
        asyncio.create_task(work, name="wire-work"),
        asyncio.create_task(wire.run(), name="wire-write"),
    ]
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in both:
            task.cancel()
        done = await asyncio.gather(*both, return_exceptions=True)
    if isinstance(done[0], Exception):
        raise done[0]


def _text_message(part: bytes) -> dict[str, Any]:
    return {"type": "websocket.send", "text": part.decode()}
