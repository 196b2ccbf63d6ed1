"""WebSockets: who may open one, what it is told, what it may say.

A capability brings a `SocketSession`, which decides; this module speaks the protocol. A socket is
accepted and then closed with a code where an HTTP status would be better, because a browser shows
its page only the code. Only a page of another site is refused at once.
"""

import json
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Protocol

from fastapi import APIRouter
from starlette.requests import HTTPConnection
from starlette.routing import WebSocketRoute
from starlette.types import Receive, Scope, Send

from tasuki.core.errors import (
    Forbidden,
    NotAuthenticated,
    NotFound,
    TasukiError,
    Unavailable,
    ValidationFailed,
)
from tasuki.core.jsontext import dump
from tasuki.core.registry import Registry
from tasuki.realtime.callers import FORBIDDEN, NO_SUCH, REVOKED, Revocation, beginnings
from tasuki.realtime.connections import (
    FLOOD,
    NO_PONG,
    SHUTDOWN,
    SLOW,
    Connection,
    ConnectionManager,
    TooManyConnections,
)
from tasuki.realtime.feed import Subscription
from tasuki.realtime.formats import Flat
from tasuki.realtime.limits import MessageLimit
from tasuki.realtime.outbox import Frame
from tasuki.web.admission import caller_of
from tasuki.web.depends import address_of, registry_of
from tasuki.web.late import go_on
from tasuki.web.origin import is_own_origin
from tasuki.web.principal import Principal
from tasuki.web.wires import EXTENSION, MAX_MESSAGE_BYTES, AsgiSocketWire, SocketWire, write_beside

_TOO_BIG, _BROKEN, _TRY_LATER, _TOO_MANY = 1009, 1011, 1013, 4429
_PING_AFTER_S = 25
_PONG_WITHIN_S = 8


class SocketSession(Protocol):
    """What one socket is about, for one user."""

    @property
    def channels(self) -> tuple[str, ...]:
        """What the socket is told of."""
        ...

    @property
    def types(self) -> frozenset[str]:
        """Of which events of its channels; a frame is ``{"type": TYPE, **event}``."""
        ...

    async def entered(self) -> None:
        """The socket is open, and hears what is published from now on."""
        ...

    async def received(self, message: dict[str, Any]) -> dict[str, Any] | None:
        """Take a message, and return what is answered to this socket alone.

        Raises:
            TasukiError: It cannot be taken; the client is told, and the socket stays.
        """
        ...

    async def left(self) -> None:
        """The socket is closed; called exactly once after `entered` was."""
        ...


OpenSession = Callable[[Principal, Mapping[str, Any], Registry], Awaitable[SocketSession]]
"""Decides whether a user may open a socket, and what it is about.

Takes the user, the parameters of the path and the services. Raises `NotFound` if there is no such
thing for this user, `Forbidden` if it is known to be somebody else's.
"""


class SocketConnection(Connection):
    """One open WebSocket."""

    kind = "websocket"

    def __init__(
        self,
        user: Principal,
        session: SocketSession,
        wire: SocketWire,
        manager: ConnectionManager,
        *,
        address: str = "",
    ) -> None:
        super().__init__(
            user,
            session.channels,
            Flat(session.types, wire.frame),
            wire=wire,
            flusher=manager.flusher,
            address=address,
        )
        self.session = session
        self.wire = wire
        self._asked_at: float | None = None

    def beat(self) -> int:
        """See `Connection.beat`: who was silent for long is asked, and must answer."""
        now = time.monotonic()
        was_asked_at, self._asked_at = self._asked_at, None
        if was_asked_at is not None and self.wire.heard_at < was_asked_at:
            self.end(NO_PONG, "no answer to a ping")
            self.wire.abort()
            return _PONG_WITHIN_S
        if was_asked_at is not None or now - self.wire.heard_at < _PONG_WITHIN_S:
            return _PING_AFTER_S - _PONG_WITHIN_S
        self._asked_at = now
        self.wire.ping()
        return _PONG_WITHIN_S

    def _end(self, code: int, reason: str) -> None:
        # What waits is sent before, if the client takes it.
        if code != SLOW:
            self.outbox.flush()
        self.wire.close(code, _short(reason))

    def say(self, message: Mapping[str, Any]) -> None:
        """Send a message to this client alone."""
        self.outbox.put(Frame(self.wire.frame(dump(message).encode())))


def add_sockets(router: APIRouter, path: str, open_session: OpenSession) -> None:
    """Serve a kind of sockets.

    Args:
        path: May have parameters, such as ``/ws/prices/{key}``.
    """
    router.routes.append(WebSocketRoute(path, Sockets(open_session)))


class Sockets:
    """An ASGI application that serves the sockets of one path."""

    def __init__(self, open_session: OpenSession) -> None:
        self._open_session = open_session

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket from its handshake to its end."""
        await receive()  # the wish to connect
        if not is_own_origin(HTTPConnection(scope)):
            await send({"type": "websocket.close"})  # before it is accepted this is an HTTP 403
            return
        await send({"type": "websocket.accept"})
        try:
            services = registry_of(HTTPConnection(scope))
            connection = await self._admit(scope, send, services)
        except TasukiError as exc:
            await send({"type": "websocket.close", **_why_closed(exc)})
            return
        over = partial(services.get(ConnectionManager).disconnect, connection)
        work = partial(_serve, connection, services)
        await go_on(scope, receive, send, work=work, over=over)

    async def _admit(self, scope: Scope, send: Send, services: Registry) -> SocketConnection:
        """Find out who is calling, and note their connection."""
        user = await caller_of(scope)
        if user is None:
            raise NotAuthenticated("sign in first")
        session = await self._open_session(user, scope["path_params"], services)
        manager = services.get(ConnectionManager)
        wire = scope["extensions"].get(EXTENSION) or AsgiSocketWire(send)
        connection = SocketConnection(user, session, wire, manager, address=address_of(scope))
        manager.connect(connection)
        return connection


async def _serve(
    connection: SocketConnection, services: Registry, receive: Receive, send: Send
) -> None:
    """Let a connection hear and talk until it ends."""
    try:
        await _attach(connection, services)
        connection.outbox.open()
        await write_beside(connection.wire, _talk(connection, receive))
    except TasukiError as exc:
        if not connection.ended_with:
            connection.outbox.flush()
            await send({"type": "websocket.close", **_why_closed(exc)})


async def _attach(connection: SocketConnection, services: Registry) -> None:
    # Before it is asked where channels begin: who is sent away after that is noticed.
    services.get(Revocation).watch(connection)
    subscription = Subscription(
        channels=connection.channels,
        format=connection.format,
        outbox=connection.outbox,
        begins=await beginnings(connection.user, connection.channels, services),
        on_begun=lambda _: None,
        on_lost=lambda: connection.end(SHUTDOWN, "something was lost; load anew"),
    )
    await services.get(ConnectionManager).attach(connection, subscription, {})


async def _talk(connection: SocketConnection, receive: Receive) -> None:
    try:
        await connection.session.entered()
        await _listen(connection, receive)
    finally:
        await connection.session.left()


async def _listen(connection: SocketConnection, receive: Receive) -> None:
    """Take messages until the client leaves; who only hears is read too, or nobody notices."""
    limit = MessageLimit()
    while True:
        event = await receive()
        if event["type"] == "websocket.disconnect":
            return
        verdict = limit.take(time.monotonic())
        if verdict == limit.FLOOD:
            connection.end(FLOOD, "too many messages")
        elif verdict == limit.TOO_MANY:
            connection.say(_error("rate_limited", "Too many messages; wait a moment."))
        else:
            await _take(connection, event)


async def _take(connection: SocketConnection, event: Mapping[str, Any]) -> None:
    text = event.get("text")
    if text is not None and len(text) > MAX_MESSAGE_BYTES:  # a server that knows no such limit
        connection.end(_TOO_BIG, "message too big")
        return
    try:
        answer = await connection.session.received(_read(text))
    except TasukiError as exc:
        connection.say(_error(exc.code, exc.detail))
        return
    if answer is not None:
        connection.say(answer)


def _read(text: str | None) -> dict[str, Any]:
    try:
        message = json.loads(text or "")
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        raise ValidationFailed("A message is a JSON object, sent as text.")
    return message


def _why_closed(exc: TasukiError) -> dict[str, Any]:
    """Return code and reason for a socket that cannot be served."""
    codes: dict[type[TasukiError], int] = {
        NotAuthenticated: REVOKED,
        Forbidden: FORBIDDEN,
        NotFound: NO_SUCH,
        TooManyConnections: _TOO_MANY,
        Unavailable: _TRY_LATER,
    }
    code = next((code for kind, code in codes.items() if isinstance(exc, kind)), _BROKEN)
    return {"code": code, "reason": _short(exc.detail)}


def _short(reason: str) -> str:
    """Return as much as fits: a closing frame holds 125 bytes, two of them the code."""
    return reason.encode()[:120].decode(errors="ignore")


def _error(code: str, message: str) -> dict[str, Any]:
    return {"type": "error", "code": code, "message": message}
