"""Publications over HTTP: Server-Sent Events or JSON Lines, from any channels at once."""

import random
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from starlette.types import Receive, Scope, Send

from tasuki.core.errors import Unavailable
from tasuki.core.registry import Registry
from tasuki.realtime.callers import Revocation, beginnings
from tasuki.realtime.channels import Position
from tasuki.realtime.connections import ROTATED, SLOW, Connection, ConnectionManager
from tasuki.realtime.feed import Places, Subscription
from tasuki.realtime.formats import JsonLines, ServerSentEvents
from tasuki.realtime.outbox import Frame
from tasuki.web.depends import address_of
from tasuki.web.late import go_on
from tasuki.web.principal import Principal
from tasuki.web.wires import EXTENSION, AsgiWire, FastHttp, write_beside

HEARTBEAT_S = 15
"""An idle stream says something this often, or proxies close it."""
_ROTATE_AFTER_S = (540.0, 660.0)  # about ten minutes: a new request proves anew who is calling

_END = {"type": "http.response.body", "body": b"", "more_body": False}

StreamFormat = ServerSentEvents | JsonLines

_MEDIA_TYPES = {
    ServerSentEvents: b"text/event-stream; charset=utf-8",
    JsonLines: b"application/jsonl",
}


class StreamConnection(Connection):
    """One open stream.

    Attributes:
        rotate_at: When it is ended so that a new request goes on, by `time.monotonic`.
    """

    def __init__(
        self,
        user: Principal,
        format: StreamFormat,  # noqa: A002  # see there
        wire: FastHttp | AsgiWire,
        manager: ConnectionManager,
        *,
        address: str,
    ) -> None:
        super().__init__(
            user, format.channels, format, wire=wire, flusher=manager.flusher, address=address
        )
        self.kind = "jsonl" if isinstance(format, JsonLines) else "sse"
        self.wire = wire
        self._place = format.place
        self._manager = manager
        self.rotate_at = time.monotonic() + random.uniform(*_ROTATE_AFTER_S)  # noqa: S311  # no secret

    def beat(self) -> int:
        """See `Connection.beat`."""
        if time.monotonic() > self.rotate_at:
            self.end(ROTATED, "another request goes on")
        elif self.has_begun:
            self.outbox.put(Frame(self.place(), "coalesce", key="heartbeat"))
        return HEARTBEAT_S

    def _end(self, code: int, reason: str) -> None:
        # What is wrong shows in the answer to the next request. Where to go on is said behind
        # all that waits: a place that is ahead of what was sent would lose the rest.
        del reason
        if code == SLOW:
            self.wire.abort()
        elif self.has_begun:
            self.outbox.put(Frame(self.place()))
            self.outbox.flush()
        self.wire.wake()

    def greet(self, places: Places) -> None:
        """Say where the stream begins.

        At once and without an event: a client that leaves before the first one has a place to
        come back to. Jittered, so that those of a stopped process do not come as one.
        """
        retry_ms = random.randint(1_000, 3_000)  # noqa: S311  # no secret
        self.outbox.put(Frame(self._place(places, retry_ms=retry_ms)))

    def place(self) -> bytes:
        """Return the frame that says where the stream is."""
        return self._place(self._manager.hub.places(self.channels))


class LiveStream:
    """The response that is a stream; an ASGI application for one request.

    Args:
        since: Where the client was, as its ``Last-Event-ID`` says.
    """

    def __init__(
        self,
        user: Principal,
        format: StreamFormat,  # noqa: A002  # see there
        since: Mapping[str, Position],
        *,
        services: Registry,
    ) -> None:
        self._user = user
        self._format = format
        self._since = since
        self._manager = services.get(ConnectionManager)
        self._revocation = services.get(Revocation)
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream until the client leaves, may not go on, or the server stops."""
        try:
            await self._stream(scope, receive, send)
        except Unavailable as exc:
            if isinstance(self._format, JsonLines):
                raise
            await self._put_off(send, exc.retry_after_s or 1)

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        wire = scope.get("extensions", {}).get(EXTENSION) or AsgiWire(send, _body)
        connection = StreamConnection(
            self._user, self._format, wire, self._manager, address=address_of(scope)
        )
        self._manager.connect(connection)
        try:
            await self._attach(connection)
            await send(self._head())
        except BaseException:
            self._manager.disconnect(connection)
            raise
        work, over = partial(_go_on, connection), partial(self._manager.disconnect, connection)
        await go_on(scope, receive, send, work=work, over=over)

    async def _put_off(self, send: Send, wait_s: float) -> None:
        """Have a browser come back; of an answer that is no stream it would never ask again."""
        wait_ms = round(wait_s * random.uniform(1_000, 3_000))  # noqa: S311  # no secret
        await send(self._head())
        await send(_body(self._format.place(self._since, retry_ms=wait_ms)))
        await send(_END)

    async def _attach(self, connection: StreamConnection) -> None:
        # Before it is asked where channels begin: who is sent away after that is noticed.
        self._revocation.watch(connection)
        wanted = Subscription(
            channels=connection.channels,
            format=self._format,
            outbox=connection.outbox,
            begins=await beginnings(self._user, connection.channels, self._services),
            on_begun=connection.greet,
            on_lost=_never,
        )
        await self._manager.attach(connection, wanted, self._since)

    def _head(self) -> dict[str, Any]:
        return {
            "type": "http.response.start",
            "status": 200,
            "headers": [
                (b"content-type", _MEDIA_TYPES[type(self._format)]),
                (b"cache-control", b"no-store"),
                (b"x-accel-buffering", b"no"),  # nginx would hold the events back
            ],
        }


async def _go_on(connection: StreamConnection, receive: Receive, send: Send) -> None:
    connection.outbox.open()
    if isinstance(connection.wire, AsgiWire):
        await write_beside(connection.wire, _until_gone(connection, receive))
    elif not connection.ended_with:
        await connection.wire.until_gone()
    await _farewell(connection, send)


async def _until_gone(connection: StreamConnection, receive: Receive) -> None:
    while not connection.ended_with:
        if (await receive())["type"] == "http.disconnect":
            return


async def _farewell(connection: StreamConnection, send: Send) -> None:
    """End the response behind all that was written."""
    if connection.ended_with:
        await send(_END)


def _never() -> None:
    """Nothing is lost to a stream without its being told."""


def _body(part: bytes) -> dict[str, Any]:
    return {"type": "http.response.body", "body": part, "more_body": True}
