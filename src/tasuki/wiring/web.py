"""Builds and serves the web application: the API, the console, the probes."""

from collections.abc import Callable

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from tasuki.ui import mount_console
from tasuki.web.accesslog import AccessLog
from tasuki.web.middleware import SecurityHeaders
from tasuki.web.problem import error_of, problem_response, status_response
from tasuki.web.requestid import RequestId
from tasuki.web.server import allow_many_connections, listen, serve
from tasuki.wiring.metrics import build_metrics
from tasuki.wiring.probes import build_probes
from tasuki.wiring.settings import Settings
from tasuki.wiring.system import Tasuki


def create_app(tasuki: Tasuki) -> FastAPI:
    """Return the whole web application of a system."""
    app = FastAPI(
        title="Tasuki",
        summary="Background work that people can watch.",
        version="1",
        docs_url=None,
        redoc_url=None,
    )
    app.add_exception_handler(HTTPException, _as_asked)  # type: ignore[arg-type]  # only those
    app.add_exception_handler(Exception, _as_problem)
    tasuki.install(app)
    app.include_router(build_probes(tasuki))
    app.include_router(build_metrics(tasuki))
    mount_console(app)
    public_url = tasuki.settings.web.public_url or ""
    app.add_middleware(SecurityHeaders, over_tls=public_url.startswith("https:"))
    app.add_middleware(AccessLog)
    app.add_middleware(RequestId)  # the last one added is the first to see a request
    return app


def run_web(settings: Settings, *, on_ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        on_ready: Told the address once the first request would be answered.
    """
    allow_many_connections()
    tasuki = Tasuki(settings)
    listener = listen(settings.web)
    host, port = listener.getsockname()[:2]
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    serve(
        create_app(tasuki),
        listener,
        settings.web,
        on_ready=lambda: on_ready(address),
        on_leave=tasuki.leave,
        on_stop=tasuki.stop_streams,
    )


async def _as_asked(_: Request, exc: HTTPException) -> Response:
    return status_response(exc)


async def _as_problem(_: Request, exc: Exception) -> Response:
    return problem_response(error_of(exc))
