"""Whether a write comes from our own pages (cross-site request forgery).

A browser adds the cookie to requests that other sites start. It also says who started them:
``Sec-Fetch-Site`` and ``Origin``, which a page cannot forge. Programs send neither, and a
bearer token is never added by a browser on its own.
"""

from urllib.parse import urlsplit

from starlette.requests import HTTPConnection, Request

from tasuki.core.errors import Forbidden, UnsupportedMediaType
from tasuki.web.settings import WebSettings

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def refuse_foreign_writes(request: Request) -> None:
    """Check a state-changing request before anything of it is done.

    Raises:
        Forbidden: A page of another origin started it.
        UnsupportedMediaType: It has a body that is not JSON; a form of another site could
            send such a body without the browser asking us first.
    """
    if request.method in _SAFE_METHODS:
        return
    if "authorization" not in request.headers and not is_own_origin(request):
        raise Forbidden("This request was started by a page of another site.")
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    has_body = (
        request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
    )
    if (media_type or has_body) and media_type != "application/json":
        raise UnsupportedMediaType("Send the body as `Content-Type: application/json`.")


def is_own_origin(connection: HTTPConnection) -> bool:
    """Whether a request comes from our own pages, an allowed site, or no browser at all."""
    origin = connection.headers.get("origin")
    if origin is None:
        return connection.headers.get("sec-fetch-site", "none") in {"none", "same-origin"}
    settings: WebSettings = connection.app.state.tasuki.get(WebSettings)
    if origin in settings.allowed_origins:
        return True
    own_hosts = {connection.headers.get("host", "")}
    if settings.public_url:
        own_hosts.add(urlsplit(settings.public_url).netloc)
    try:
        return urlsplit(origin).netloc in own_hosts - {""}
    except ValueError:  # no address at all; a browser would not have sent it
        return False
