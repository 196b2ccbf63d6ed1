"""`/metrics` for Prometheus, for those with the scope ``metrics:read``."""

from fastapi import APIRouter, Request, Response

from tasuki.core.database import Database
from tasuki.core.errors import Forbidden
from tasuki.realtime.connections import ConnectionManager
from tasuki.realtime.metrics import realtime_metrics
from tasuki.tasks.observing.metrics import ProcessNumbers, render
from tasuki.tasks.observing.numbers import TaskNumbers
from tasuki.web.depends import CurrentUser
from tasuki.web.problem import ProblemRoute
from tasuki.web.streams import OpenStreams
from tasuki.wiring.system import Tasuki

SCOPE = "metrics:read"


def build_metrics(tasuki: Tasuki) -> APIRouter:
    """Return the route of the metrics."""
    router = APIRouter(tags=["probes"], route_class=ProblemRoute)

    @router.get(
        "/metrics",
        response_class=Response,
        responses={200: {"content": {"text/plain": {}}, "description": "Prometheus' text."}},
    )
    async def metrics(user: CurrentUser, request: Request) -> Response:
        """Tell Prometheus the numbers; needs the scope `metrics:read`."""
        if not user.has_scope(SCOPE):
            raise Forbidden(f"Reading the metrics needs the scope {SCOPE}.")
        picture = await tasuki.services.get(TaskNumbers).picture()
        text, media_type = render(
            picture,
            _process_numbers(tasuki),
            realtime_metrics(
                tasuki.services.get(ConnectionManager), broker_lag_s=tasuki.broker.lag_s
            ),
            accept=request.headers.get("accept", ""),
        )
        # The media type names its charset itself.
        headers = {"Content-Type": media_type, "Cache-Control": "no-store"}
        return Response(text, headers=headers)

    return router


def _process_numbers(tasuki: Tasuki) -> ProcessNumbers:
    pool = tasuki.services.get(Database).pool_use()
    return ProcessNumbers(
        connections=pool.in_use,
        idle_connections=pool.idle,
        most_connections=pool.most,
        event_streams=tasuki.services.get(OpenStreams).count,
        dispatch_failures=tasuki.failed_dispatches_ever,
    )
