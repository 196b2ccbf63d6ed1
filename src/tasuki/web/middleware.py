"""Pure ASGI middleware; under `BaseHTTPMiddleware` a broken download ends as a clean 200."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tasuki.core.errors import BodyTooLarge
from tasuki.web.problem import problem_response

_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)


class SecurityHeaders:
    """Adds the headers that tell a browser to be careful with our answers."""

    def __init__(self, app: ASGIApp, *, over_tls: bool = False) -> None:
        self._app = app
        self._over_tls = over_tls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, with the headers set where the application did not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._set(MutableHeaders(scope=message), path=scope["path"])
            await send(message)

        await self._app(scope, receive, send_with_headers)

    def _set(self, headers: MutableHeaders, *, path: str) -> None:
        headers.setdefault("Content-Security-Policy", _POLICY)
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers.setdefault("Referrer-Policy", "same-origin")
        headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
        if path.startswith("/api/"):
            # What one person was shown must not be kept for the next one at this machine.
            headers.setdefault("Cache-Control", "no-store")
        if self._over_tls:
            headers.setdefault("Strict-Transport-Security", "max-age=31536000")


class BodyLimit:
    """Refuses a body that announces itself as too large, before anything of it is read.

    The framework's own limit, which our routes have, would do so in plain text. It is what
    counts a body of unannounced length while that is read.
    """

    def __init__(self, app: ASGIApp, *, limit_bytes: int) -> None:
        self._app = app
        self._limit = limit_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything else on."""
        if scope["type"] == "http" and _announced_bytes(scope) > self._limit:
            error = BodyTooLarge(f"The body is larger than {self._limit} bytes.")
            await problem_response(error)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _announced_bytes(scope: Scope) -> int:
    length = Headers(scope=scope).get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() and len(length) < 20 else 0
