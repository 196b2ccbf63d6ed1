"""A mail server (SMTP, RFC 5321) on this machine alone that takes everything and delivers nothing.

Whoever is on this machine can connect, so what a client can use up is bounded.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from tasuki.core.errors import Unavailable
from tasuki.core.logging import get_logger
from tasuki.mail.catching.service import Catcher

MOST_BYTES = 10_000_000
"""Of one message, as common mail systems have it."""

MOST_RECIPIENTS = 100
"""Of one message: as many as RFC 5321 (4.5.3.1.8) wants a server to take."""

MOST_CONNECTIONS = 100
"""Workers and web processes of one machine need a few each."""

_IDLE_S = 60.0
_LISTEN = "127.0.0.1"

_log = get_logger(__name__)


class _Handler:
    """Decides about each message; the library asks it by the names of the commands."""

    def __init__(self, catcher: Catcher) -> None:
        self._catcher = catcher

    async def handle_RCPT(  # noqa: N802  # the library's name
        self,
        _server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        """Take a recipient, up to the limit."""
        if len(envelope.rcpt_tos) >= MOST_RECIPIENTS:
            return "452 4.5.3 Too many recipients"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802  # the library's name
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Say 250 once the message is committed, and "later" if that cannot be done now."""
        try:
            mail_id = await self._catcher.keep(
                sender=envelope.mail_from or "",
                recipients=envelope.rcpt_tos,
                content=bytes(envelope.original_content or b""),
            )
        except Unavailable:
            return "451 4.3.0 The database does not answer"
        return f"250 2.0.0 Caught as {mail_id}, not delivered"

    async def handle_exception(self, error: Exception) -> str:
        """Say "later" where we do not know what happened, and log it."""
        _log.error("a mail could not be caught", exc_info=error)
        return "451 4.3.0 The mail could not be kept"


class _Connection(SMTP):
    """A connection that counts among those of its server, or is turned away."""

    def __init__(self, handler: _Handler, open_ones: set[asyncio.Transport]) -> None:
        super().__init__(
            handler,
            data_size_limit=MOST_BYTES,
            enable_SMTPUTF8=True,
            hostname="localhost",
            ident="Tasuki catches mail and delivers none",
            timeout=_IDLE_S,
        )
        self._open = open_ones
        self._own: asyncio.Transport | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to talk, unless there are too many."""
        if len(self._open) >= MOST_CONNECTIONS:
            transport.write(b"421 4.3.2 Too many connections\r\n")
            transport.close()
            return
        self._own = transport
        self._open.add(transport)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Make room for another."""
        if self._own is not None:
            self._open.discard(self._own)
            super().connection_lost(error)

    def data_received(self, data: bytes) -> None:
        """Read on, unless the connection was turned away."""
        if self._own is not None:
            super().data_received(data)

    def eof_received(self) -> bool | None:
        """Let the connection end, unless the library wants to say something first."""
        return super().eof_received() if self._own is not None else None


@asynccontextmanager
async def catching(catcher: Catcher, *, port: int = 0) -> AsyncGenerator[int]:
    """Catch mail while the block runs; give the port.

    Args:
        port: On this machine's own address; 0 takes a free one.

    Raises:
        OSError: The port is taken.
    """
    handler = _Handler(catcher)
    connections: set[asyncio.Transport] = set()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: _Connection(handler, connections), _LISTEN, port, backlog=MOST_CONNECTIONS
    )
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for transport in list(connections):
            transport.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5):
                await server.wait_closed()
