"""The web process: the API, the console, the probes."""

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from tasuki.ui import mount_console
from tasuki.web.middleware import SecurityHeaders
from tasuki.web.problem import error_of, problem_response
from tasuki.wiring import Settings, Tasuki
from tasuki.wiring.probes import build_probes


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the whole web application; servers call it as a factory.

    Args:
        settings: Default: from the environment and ``tasuki.toml``.
    """
    tasuki = Tasuki(settings)
    app = FastAPI(
        title="Tasuki",
        summary="Background work that people can watch.",
        version="1",
        max_body_size=tasuki.settings.web.max_body_bytes,
        docs_url=None,
        redoc_url=None,
    )
    app.state.system = tasuki
    app.add_exception_handler(HTTPException, _as_problem)
    app.add_exception_handler(Exception, _as_problem)
    tasuki.install(app)
    app.include_router(build_probes(tasuki))
    mount_console(app)
    public_url = tasuki.settings.web.public_url or ""
    app.add_middleware(SecurityHeaders, over_tls=public_url.startswith("https:"))
    return app


async def _as_problem(_: Request, exc: Exception) -> Response:
    return problem_response(error_of(exc))
