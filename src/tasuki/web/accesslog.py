"""One line in the log for each request or socket, when it is over. Pure ASGI.

The query is left out: people put into it what should not stand in logs.
"""

import time
from functools import partial
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tasuki.core.logging import get_logger
from tasuki.web.late import when_over

log = get_logger(__name__)

_MOST_PATH = 500  # characters of a path
_HANDSHAKES = {
    "websocket.accept": HTTPStatus.SWITCHING_PROTOCOLS.value,
    "websocket.close": HTTPStatus.FORBIDDEN.value,  # what a client sees of one never accepted
}


class AccessLog:
    """Writes method, path, status and duration."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status: int | None = None  # stays so when the client went away before there was one

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if "status" in message:
                status = int(message["status"])  # the framework may say it by name
            elif status is None:
                status = _HANDSHAKES.get(message["type"])
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except Exception:
            status = status or HTTPStatus.INTERNAL_SERVER_ERROR.value
            raise
        finally:
            method, path = scope.get("method", "WEBSOCKET"), scope["path"][:_MOST_PATH]
            when_over(scope, partial(_say, method, path, status, began))


def _say(method: str, path: str, status: int | None, began: float) -> None:
    log.info(
        "request",
        method=method,
        path=path,
        status=status,
        duration_s=round(time.perf_counter() - began, 6),
    )
