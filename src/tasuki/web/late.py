"""Sockets and streams that go on after the request is done with.

What middlewares, FastAPI and its dependencies hold for a request weighs more than a whole idle
stream. Under our own server all of that lets go before the waiting begins; under another one,
where nothing stands around the application, FastAPI and the dependencies do.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tasuki.core.logging import bind, bound_fields
from tasuki.web.problem import ProblemRoute

_KEY = "tasuki.late"
_REST = "tasuki.rest"

Work = Callable[[Receive, Send], Awaitable[None]]
"""What is left to do of a request; its ``receive`` and ``send`` are the server's own."""


class _Rest:
    """What goes on of one request.

    Attributes:
        work: None: nothing does, the request is answered.
        over: Called when it is over, however it ended.
        fields: What is bound to its logs.
    """

    __slots__ = ("fields", "over", "work")

    def __init__(self) -> None:
        self.work: Work | None = None
        self.over: list[Callable[[], None]] = []
        self.fields: dict[str, Any] = {}


class GoingOn:
    """Stands around the whole application, and does what is left when that has returned."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, then do the rest of it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        rest = _Rest()
        try:
            # The server keeps its scope; what the application adds to the copy ends with it.
            await self._app({**scope, _REST: rest}, receive, send)
            del scope
            if rest.work is not None:
                bind(**rest.fields)
                await rest.work(receive, send)
        finally:
            for over in rest.over:
                over()


async def go_on(
    scope: Scope, receive: Receive, send: Send, *, work: Work, over: Callable[[], None]
) -> None:
    """Do the rest of a request whose response has begun: after all others have returned, or now.

    Args:
        over: Called once, when the work is done, or never began; must not fail.
    """
    rest: _Rest | None = scope.get(_REST)
    if rest is not None:
        rest.work, rest.fields = work, bound_fields()
        rest.over.append(over)
        return
    try:
        await work(receive, send)
    finally:
        over()


def when_over(scope: Scope, call: Callable[[], None]) -> None:
    """Have something called when a request is over: now, unless something of it goes on."""
    rest: _Rest | None = scope.get(_REST)
    if rest is not None and rest.work is not None:
        rest.over.append(call)
    else:
        call()


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
