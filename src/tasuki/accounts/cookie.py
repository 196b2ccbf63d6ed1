"""The session cookie: its name, and the marks that make browsers guard it (RFC 6265bis)."""

from starlette.requests import HTTPConnection
from starlette.responses import Response

from tasuki.accounts.settings import AccountsSettings
from tasuki.web.settings import WebSettings

_NAME = "tasuki_session"


class SessionCookie:
    """Reads and writes the cookie that holds a session's secret.

    Over TLS its name starts with ``__Host-``, so that no neighbouring host can set it. The
    plain name is not read there: whoever is on the way could have set that one.
    """

    def __init__(self, *, settings: AccountsSettings, web: WebSettings) -> None:
        self._over_tls = (web.public_url or "").lower().startswith("https://")
        self._max_age_s = settings.session_ttl_s
        self.name = f"__Host-{_NAME}" if self._over_tls else _NAME

    def read(self, connection: HTTPConnection) -> str | None:
        """Return the secret a request came with, if any."""
        return connection.cookies.get(self.name) or None

    def set(self, response: Response, secret: str) -> None:
        """Give the browser the secret of its new session."""
        response.set_cookie(
            self.name,
            secret,
            max_age=self._max_age_s,
            path="/",
            secure=self._over_tls,
            httponly=True,
            samesite="lax",
        )

    def clear(self, response: Response) -> None:
        """Make the browser forget it."""
        response.delete_cookie(
            self.name, path="/", secure=self._over_tls, httponly=True, samesite="lax"
        )
