"""`/healthz` says that the process lives, `/readyz` that requests should come here."""

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from tasuki.core.database import Database
from tasuki.core.errors import Unavailable
from tasuki.tasks import TaskService
from tasuki.web.principal import Authenticator
from tasuki.web.problem import ProblemRoute
from tasuki.wiring.system import Tasuki


def build_probes(tasuki: Tasuki) -> APIRouter:
    """Return the routes of the probes."""
    router = APIRouter(tags=["probes"], route_class=ProblemRoute)

    @router.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Answer as long as the process lives."""
        return {"status": "ok"}

    @router.get("/readyz", responses={503: {"description": "Not ready."}})
    async def readyz(request: Request) -> JSONResponse:
        """Tell whether requests should come here; an admin also learns why not."""
        blocking = await _blocking(tasuki)
        body: dict[str, Any] = {"status": "not ready" if blocking else "ready"}
        if await _is_admin(tasuki, request):
            body["reasons"] = blocking + _degrading(tasuki)
        status = HTTPStatus.SERVICE_UNAVAILABLE if blocking else HTTPStatus.OK
        headers = {"Cache-Control": "no-store"}
        return JSONResponse(body, status_code=status, headers=headers)

    return router


async def _blocking(tasuki: Tasuki) -> list[str]:
    """Return why no request can be served here."""
    if tasuki.draining.is_leaving:
        return ["the process is stopping"]
    try:
        async with tasuki.services.get(Database).unit_of_work() as session:
            await tasuki.services.get(TaskService).epoch(session)
    except Unavailable as exc:
        return [f"database: {exc.detail}"]
    return []


def _degrading(tasuki: Tasuki) -> list[str]:
    """Return what is wrong and yet no reason to stay away: orders are accepted all the same."""
    failures = tasuki.failed_dispatches
    return [f"broker: {failures} failed tries in a row"] if failures else []


async def _is_admin(tasuki: Tasuki, request: Request) -> bool:
    try:
        principal = await tasuki.services.get(Authenticator).authenticate(request)
    except Unavailable:
        return False
    return principal is not None and principal.is_admin
