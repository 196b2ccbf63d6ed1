"""What endpoints ask for: the caller, a unit of work, a service.

`DbSession` has the scope ``function``: with FastAPI's default a transaction is committed
after the answer was sent, and a failed commit would still answer 201.
"""

import json
from collections.abc import AsyncGenerator, Callable
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Header, Query, Request
from starlette.requests import HTTPConnection
from starlette.types import Scope

from tasuki.core.database import Database, Session
from tasuki.core.errors import Forbidden, NotAuthenticated, ValidationFailed
from tasuki.core.registry import Registry
from tasuki.web.principal import Authenticator, Principal
from tasuki.web.tickets import take_ticket, ticket_of

Service = TypeVar("Service")


def registry_of(connection: HTTPConnection) -> Registry:
    """Return the services of the application that received this request."""
    registry: Registry = connection.app.state.tasuki
    return registry


def address_of(scope: Scope) -> str:
    """Return where a client is, as far as we can see; empty if not at all."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def provided(kind: type[Service]) -> Any:
    """Return a dependency that gives the service kept under this class."""

    def find(connection: HTTPConnection) -> Service:
        return registry_of(connection).get(kind)

    return Depends(find)


async def current_user(connection: HTTPConnection) -> Principal:
    """Return who is calling.

    An application of one's own replaces this very function by its own dependency.

    Raises:
        NotAuthenticated: Nobody signed in, or the session or token has ended.
    """
    principal = await registry_of(connection).get(Authenticator).authenticate(connection)
    if principal is not None:
        return principal
    if ticket_of(connection) is not None:
        raise NotAuthenticated(
            "This ticket was used, or is over; get another by `POST /api/v1/auth/ticket`."
        )
    raise NotAuthenticated("Sign in, or send `Authorization: Bearer tsk_…`.")


async def recheck(connection: HTTPConnection, user: Principal) -> bool:
    """Return whether the caller of a long request is still who they were.

    Where an application of one's own knows its users, only it can tell; there a stream lives
    on until it ends.
    """
    if user.credential == "host":
        return True
    return await registry_of(connection).get(Authenticator).is_valid(user)


CurrentUser = Annotated[Principal, Depends(current_user)]


def _with_ticket(
    connection: HTTPConnection,
    ticket: Annotated[
        str | None,
        Query(
            description="Instead of a header: from `POST /api/v1/auth/ticket`, for one request."
        ),
    ] = None,
) -> None:
    del ticket  # named for the schema; read by whoever finds out who is calling
    take_ticket(connection.scope)


async def _stream_user(_: Annotated[None, Depends(_with_ticket)], user: CurrentUser) -> Principal:
    return user


StreamUser = Annotated[Principal, Depends(_stream_user)]
"""Who opens a stream or socket, perhaps with a ticket; stands before all that asks for a user."""


async def _admin(user: CurrentUser) -> Principal:
    if not user.is_admin:
        raise Forbidden("Only an admin may do this.")
    return user


AdminUser = Annotated[Principal, Depends(_admin)]


async def _session(
    database: Annotated[Database, provided(Database)],
) -> AsyncGenerator[Session]:
    async with database.unit_of_work() as session:
        yield session


DbSession = Annotated[Session, Depends(_session, scope="function")]

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="Repeat a call safely: the same key with the same arguments gives the "
        "first call's answer.",
    ),
]


def body_instead_of_query(*, example: dict[str, Any]) -> Callable[[Request], None]:
    """Return a dependency that refuses query parameters and shows the JSON body to send.

    The guide passed these arguments in the query, where they end up in access logs.
    """

    def refuse(request: Request) -> None:
        if request.query_params:
            names = ", ".join(request.query_params)
            message = f"send {names} in a JSON body, e.g. {json.dumps(example)}"
            raise ValidationFailed(
                message, errors=[{"loc": ["query", *request.query_params], "msg": message}]
            )

    return refuse
