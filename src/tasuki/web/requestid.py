"""Gives each request an id that its answer, its logs and its tasks' logs carry.

Pure ASGI. The id of a proxy in front is kept, so that both logs tell of the same request; it
comes from outside and goes into logs, so only a plain word is believed.
"""

import re
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tasuki.core.logging import bound

HEADER = "X-Request-Id"
_SANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class RequestId:
    """Reads or makes the id, and sends it back in the answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, with ``request_id`` in all that is logged meanwhile."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        request_id = _given(scope) or uuid4().hex

        async def send_with_id(message: Message) -> None:
            if message["type"] in {"http.response.start", "websocket.accept"}:
                message.setdefault("headers", [])  # a WebSocket may be accepted without any
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        with bound(request_id=request_id):
            await self._app(scope, receive, send_with_id)


def _given(scope: Scope) -> str | None:
    """Return the id that came with the request, if it is one that may stand in a log."""
    given = Headers(scope=scope).get(HEADER, "")
    return given if _SANE.fullmatch(given) else None
