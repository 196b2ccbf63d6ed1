"""Errors as ``application/problem+json`` (RFC 9457), from every route of Tasuki.

`ProblemRoute` is the route class of all our routers. It turns errors into answers inside the
route, so that an application that installs Tasuki keeps its own handlers for its own routes.
Before an endpoint runs it also refuses writes that come from a page of another site, and bodies
that are too large.
"""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send

from tasuki.core.errors import (
    BodyTooLarge,
    Conflict,
    Forbidden,
    MethodNotAllowed,
    NotAuthenticated,
    NotFound,
    RateLimited,
    TasukiError,
    Unavailable,
    UnsupportedMediaType,
    ValidationFailed,
)
from tasuki.core.jsontext import dump
from tasuki.core.logging import get_logger
from tasuki.web.bodylimit import limited
from tasuki.web.depends import registry_of
from tasuki.web.origin import refuse_foreign_writes
from tasuki.web.settings import WebSettings

log = get_logger(__name__)

_KINDS: tuple[type[TasukiError], ...] = (
    NotAuthenticated,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    Conflict,
    BodyTooLarge,
    UnsupportedMediaType,
    ValidationFailed,
    RateLimited,
    TasukiError,
    Unavailable,
)
_KIND_OF_STATUS = {int(kind.status): kind for kind in _KINDS}
# What the framework answers by itself on our routes; a body that it cannot read is a 400.
_ERRORS_OF_STATUS: dict[int, type[TasukiError]] = {400: ValidationFailed} | {
    status: _KIND_OF_STATUS[status] for status in (401, 403, 404, 405, 413, 415)
}
_WITHOUT_A_BODY = frozenset({204, 205, 304})  # RFC 9110, 15.3.5, 15.3.6, 15.4.5


class FieldFault(BaseModel):
    """One thing that is wrong with the input."""

    loc: list[str | int] = Field(description="Where: body, query, path or header, then the field.")
    msg: str = Field(description="What is wrong, and what is expected.")


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = Field(default="about:blank", description="A URI that names the kind of problem.")
    title: str = Field(description="The kind of problem in a few words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What happened here, and how to mend it.")
    code: str = Field(description="Stable name of the error, for programs.")
    error_id: str = Field(description="Names this occurrence in the logs.")
    errors: list[FieldFault] | None = Field(default=None, description="Faults of single fields.")


class ProblemResponse(JSONResponse):
    """A JSON answer with the media type of a problem."""

    media_type = "application/problem+json"


def problem_response(error: TasukiError) -> ProblemResponse:
    """Return the HTTP face of an error; what is our fault is logged under its id."""
    problem = Problem(
        type=f"urn:tasuki:error:{error.code}",
        title=error.title,
        status=error.status,
        detail=error.detail,
        code=error.code,
        error_id=uuid4().hex,
        errors=getattr(error, "errors", None) or None,
    )
    headers = {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return _response(problem, headers, cause=error)


def status_response(exc: StarletteHTTPException) -> Response:
    """Return the HTTP face of a status that an application of our own raised; all of it is kept.

    For a status without an error of ours, ``code`` is the status in words: ``im_a_teapot``.
    """
    headers = dict(exc.headers or {})
    if exc.status_code in _WITHOUT_A_BODY:
        return Response(status_code=exc.status_code, headers=headers)
    detail = exc.detail if isinstance(exc.detail, str) else dump(exc.detail)
    kind = _KIND_OF_STATUS.get(exc.status_code)
    if kind is not None:
        response = problem_response(kind(detail))
        response.headers.update(headers)
        return response
    title = _title_of(exc.status_code)
    code = title.lower().replace("'", "").replace(" ", "_").replace("-", "_")
    problem = Problem(
        title=title, status=exc.status_code, detail=detail, code=code, error_id=uuid4().hex
    )
    return _response(problem, headers, cause=exc)


def error_of(exc: Exception) -> TasukiError:
    """Translate what the framework raises into our own errors; the unknown becomes a 500."""
    if isinstance(exc, TasukiError):
        return exc
    if isinstance(exc, RequestValidationError):
        return _validation_failed(exc)
    if isinstance(exc, StarletteHTTPException) and is_known(exc):
        return _ERRORS_OF_STATUS[exc.status_code](str(exc.detail))
    internal = TasukiError("Something broke on our side; the error id finds it in the logs.")
    internal.__cause__ = exc
    return internal


def is_known(exc: StarletteHTTPException) -> bool:
    """Whether we have an error of our own for this status."""
    return exc.status_code in _ERRORS_OF_STATUS


class ProblemRoute(APIRoute):
    """A route whose failures are problems, and which no other site can write to."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """See `fastapi.routing.APIRoute.get_route_handler`."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await handler(request)
            except (StarletteHTTPException, RequestValidationError) as exc:
                # A dependency of the application Tasuki is installed in may answer with a
                # status that we have no word for; its own handlers do.
                if isinstance(exc, StarletteHTTPException) and not is_known(exc):
                    raise
                raise error_of(exc) from exc

        return handle

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer an error after everything that was begun for the request was undone.

        Answered any earlier, it would never reach the transaction, which would be committed.
        """
        is_answered = False

        async def watched(message: Message) -> None:
            nonlocal is_answered
            is_answered = True
            await send(message)

        try:
            request = Request(scope)
            limit_bytes = registry_of(request).get(WebSettings).max_body_bytes
            receive = limited(scope, receive, limit_bytes=limit_bytes)
            refuse_foreign_writes(request)
            await self.respond(scope, receive, watched)
        except Exception as exc:
            if is_answered or (isinstance(exc, StarletteHTTPException) and not is_known(exc)):
                raise
            await problem_response(error_of(exc))(scope, receive, send)

    async def respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the endpoint and send what it returned; an error may still be raised."""
        await super().handle(scope, receive, send)


def _response(problem: Problem, headers: dict[str, str], *, cause: Exception) -> ProblemResponse:
    if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.warning("request_failed", code=problem.code, error_id=problem.error_id, exc_info=cause)
    return ProblemResponse(
        problem.model_dump(exclude_none=True),
        status_code=problem.status,
        headers={"Cache-Control": "no-store", **headers},
    )


def _title_of(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:  # one that nobody has registered
        return f"Status {status}"


def _validation_failed(exc: RequestValidationError) -> ValidationFailed:
    # The input itself is left out: it may hold a password.
    faults = [{"loc": list(fault["loc"]), "msg": str(fault["msg"])} for fault in exc.errors()[:50]]
    named = "; ".join(
        f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in faults[:3]
    )
    return ValidationFailed(named or "The input is invalid.", errors=faults)
