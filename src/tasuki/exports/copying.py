"""Rows from PostgreSQL to wherever they are wanted, as fast as psql.

No Python runs for a row: PostgreSQL writes the lines (COPY), and here they are gathered into
pieces large enough to be worth a call, framed, compressed and handed on. Rows are pushed; there
is no generator that somebody would have to close.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from tasuki.core.database import Database
from tasuki.core.errors import Unavailable, ValidationFailed
from tasuki.core.logging import get_logger
from tasuki.exports.errors import ExportFailed
from tasuki.exports.forms import Form, encoder_of, framing_of
from tasuki.exports.query import ExportQuery
from tasuki.exports.repository import count_of, statement_of

log = get_logger(__name__)

Sink = Callable[[bytes], Awaitable[None]]
Tell = Callable[[int], Awaitable[None]]

_PIECE_BYTES = 262_144


class Copier:
    """Copies the rows of queries out of a database, each from one snapshot of it.

    Args:
        database: A pool of its own: an export holds a connection for long.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def copy(
        self, query: ExportQuery, form: Form, sink: Sink, *, tell: Tell | None = None
    ) -> int:
        """Give a sink the whole file, piece by piece, and return the number of rows.

        If it raises, the file is not whole.

        Args:
            tell: Told the number of rows so far, after each piece.

        Raises:
            ExportFailed: The database refuses the statement, or takes too long for it.
            Unavailable: The database does not answer, or went away in the middle.
            ValidationFailed: A value that was asked for is none that its column could have.
        """
        statement = statement_of(query, form)
        pieces = _Pieces(form, sink, tell)
        try:
            async with self._database.driver() as connection, _snapshot(connection):
                await connection.copy_from_query(
                    statement.sql,
                    *statement.arguments,
                    output=pieces.take,
                    **statement.copy_options,
                )
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as exc:
            if pieces.is_refused:  # by the sink, such as a full disk; that is no fault of the rows
                raise
            raise _told(exc) from exc
        return await pieces.end()

    async def count(self, query: ExportQuery) -> int:
        """Return how many rows a query has now.

        Raises:
            ExportFailed: As `copy`.
            Unavailable: As `copy`.
            ValidationFailed: As `copy`.
        """
        statement = count_of(query)
        try:
            async with self._database.driver() as connection:
                count: int = await connection.fetchval(statement.sql, *statement.arguments)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as exc:
            raise _told(exc) from exc
        return count


class ExportSource:
    """Where exports read from.

    Args:
        url: The database's.
        timeout_s: The longest that one may take.
    """

    def __init__(self, url: str, *, timeout_s: int) -> None:
        self._url = url
        self._timeout_s = timeout_s

    @asynccontextmanager
    async def open(self, *, at_once: int) -> AsyncGenerator[Copier]:
        """Have a copier for a block; it connects when it first copies.

        Args:
            at_once: As many exports as will run at the same time.
        """
        database = Database(
            self._url,
            pool_size=at_once,
            name="tasuki-export",
            statement_timeout_s=self._timeout_s,
        )
        try:
            yield Copier(database)
        finally:
            await database.close()


class _Pieces:
    """Gathers lines into pieces and passes them on.

    PostgreSQL sends each row as a message, and the driver whole messages: no line is cut.
    """

    def __init__(self, form: Form, sink: Sink, tell: Tell | None) -> None:
        self._framing = framing_of(form)
        self._encoder = encoder_of(form.encoding)
        self._sink = sink
        self._tell = tell
        self._parts: list[bytes] = []
        self._size = 0
        self.is_refused = False

    async def take(self, lines: bytes) -> None:
        self._parts.append(lines)
        self._size += len(lines)
        if self._size >= _PIECE_BYTES:
            await self._pass_on()

    async def end(self) -> int:
        await self._pass_on()
        await self._send(self._encoder.feed(self._framing.end()) + self._encoder.end())
        return self._framing.rows

    async def _pass_on(self) -> None:
        lines = b"".join(self._parts)
        self._parts.clear()
        self._size = 0
        if lines:
            await self._send(self._encoder.feed(self._framing.feed(lines)))
        if self._tell is not None:
            await self._tell(self._framing.rows)

    async def _send(self, data: bytes) -> None:
        if not data:
            return
        try:
            await self._sink(data)
        except BaseException:
            self.is_refused = True
            raise


def _snapshot(connection: Any) -> Any:
    """Return a transaction in which every row is of the same moment."""
    return connection.transaction(isolation="repeatable_read", readonly=True)


def _told(exc: Exception) -> ExportFailed | Unavailable | ValidationFailed:
    if type(exc) is asyncpg.DataError:  # of the driver's own; the server's are of its subclasses
        return ValidationFailed(
            "A filter's value, or the limit, is beyond what its column can hold."
        )
    if isinstance(exc, asyncpg.QueryCanceledError):
        return ExportFailed("The database took too long; ask for fewer rows.")
    is_away = isinstance(
        exc,
        asyncpg.PostgresConnectionError
        | asyncpg.InterfaceError
        | asyncpg.OperatorInterventionError
        | asyncpg.InsufficientResourcesError
        | OSError
        | TimeoutError
        | asyncio.IncompleteReadError,
    )
    if is_away:
        return Unavailable("The database went away.", retry_after_s=2)
    # What it says may hold values of rows, so it is for the log.
    log.warning("export_refused", error=str(exc))
    state = getattr(exc, "sqlstate", None)
    return ExportFailed(f"The database refuses it (SQLSTATE {state}); the log says why.")
