"""Responses that go on after FastAPI is done with the request.

What FastAPI and its dependencies hold for a request weighs more than a whole idle stream. A
route of this class lets go of all that before the response begins.
"""

from typing import Protocol

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tasuki.web.problem import ProblemRoute

_KEY = "tasuki.late"


class Late(Protocol):
    """The response proper."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond, as an ASGI application does."""
        ...


class LateResponse(Response):
    """Stands for a response until the route is left."""

    def __init__(self, late: Late) -> None:
        """Take the response proper, an ASGI application."""
        super().__init__()
        self._late = late

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Put the response off."""
        del receive, send
        scope[_KEY] = self._late


class LateRoute(ProblemRoute):
    """A route whose endpoint may return a `LateResponse`."""

    async def respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See `ProblemRoute.respond`; what fails before the response has begun is a problem."""
        await super().respond(scope, receive, send)
        late: Late | None = scope.pop(_KEY, None)
        if late is not None:
            await late(scope, receive, send)
