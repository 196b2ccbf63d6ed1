"""A straight way from our code to a client's socket, through uvicorn's own protocol.

An ASGI application sends by awaiting a coroutine, once for each message and client. This
subclass of uvicorn's protocol (its ``http=`` option takes a class) also lets bytes be written by
a plain call. It hands itself over in the scope's extensions; under another server there is
none, and `AsgiWire` does the same by ASGI.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from starlette.types import Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

EXTENSION = "tasuki.wire"
_SEND_WITHIN_S = 30.0


class FastHttp(HttpToolsProtocol):
    """An HTTP connection whose response can be written to straight away, in chunks.

    See `tasuki.realtime.outbox.Wire`.
    """

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
        self._has_more = asyncio.Event()
        self._is_cut = False

    def write(self, parts: Sequence[bytes]) -> None:
        """Send parts as soon as those before them were taken."""
        self._parts.extend(parts)
        self.is_writable = False
        self._has_more.set()

    def wake(self) -> None:
        """Stop sending; the application says the last word itself."""
        self._is_cut = True
        self._has_more.set()

    def abort(self) -> None:
        """Stop sending; ASGI has no way to cut a client off, so its server must."""
        self.wake()

    async def run(self) -> None:
        """Send until woken or cancelled.

        Raises:
            TimeoutError: The client took nothing for half a minute.
        """
        while not self._is_cut:
            await self._has_more.wait()
            self._has_more.clear()
            while self._parts and not self._is_cut:
                async with asyncio.timeout(_SEND_WITHIN_S):
                    await self._send(self._message(self._parts.popleft()))
            self.is_writable = True
            if self.on_writable is not None:
                self.on_writable()
