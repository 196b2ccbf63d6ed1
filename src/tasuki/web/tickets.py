"""Which requests may say by a ticket in their address who is calling.

Those of streams and sockets: a browser's `EventSource` and `WebSocket` set no headers. An address
is logged, kept and passed on by many, so no other request takes anything secret from there.
"""

from starlette.requests import HTTPConnection
from starlette.types import Scope

PARAMETER = "ticket"
_TAKES = "tasuki.takes_ticket"


def take_ticket(scope: Scope) -> None:
    """Let a ticket open this request; to be called before anybody asks who is calling."""
    scope[_TAKES] = True


def ticket_of(connection: HTTPConnection) -> str | None:
    """Return the ticket a request came with, if it is one of those that take it."""
    if not connection.scope.get(_TAKES):
        return None
    return connection.query_params.get(PARAMETER)
