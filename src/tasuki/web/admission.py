"""Who opens a WebSocket, found out as for any request."""

from contextlib import AsyncExitStack
from weakref import WeakKeyDictionary

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.types import ASGIApp, Message, Scope

from tasuki.core.errors import Forbidden, NotAuthenticated
from tasuki.web.depends import StreamUser
from tasuki.web.principal import Principal

_USER = "tasuki.user"

_asking: WeakKeyDictionary[FastAPI, ASGIApp] = WeakKeyDictionary()


async def caller_of(scope: Scope) -> Principal | None:
    """Return who opens a socket, as the application's own ``current_user`` tells.

    That dependency was written for requests and may ask for one, so it gets the handshake, which
    is one. What FastAPI holds for this is gone when this returns.

    Raises:
        Unavailable: Nobody can say now.
    """
    app: FastAPI = scope["app"]
    ask = _asking.get(app)
    if ask is None:
        route = APIRoute("/", _admit, methods=["GET"], dependency_overrides_provider=app)
        ask = _asking[app] = route.app
    async with AsyncExitStack() as stack:
        asked = {
            **scope,
            "type": "http",
            "method": "GET",
            "fastapi_middleware_astack": stack,
            # Without handlers an exception comes here, and is not made an answer of.
            "starlette.exception_handlers": ({}, {}),
        }
        try:
            await ask(asked, _no_body, _no_answer)
        except (NotAuthenticated, Forbidden, RequestValidationError):
            return None
        except (HTTPException, StarletteHTTPException):  # of the application's dependency
            return None
    found: Principal | None = asked.get(_USER)
    return found


async def _admit(request: Request, user: StreamUser) -> Response:
    request.scope[_USER] = user
    return Response()


async def _no_body() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _no_answer(_: Message) -> None:
    pass
