"""PostgreSQL: connections, units of work, and what a lost connection means.

A unit of work is one transaction: it commits when its block ends well and rolls back when
it does not. Nothing else in Tasuki commits. Errors that mean "the database does not answer
now" become `Unavailable` at this border, so that callers need no SQLAlchemy to read them.
"""

from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
from sqlalchemy import Executable, event
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from tasuki.core.errors import Unavailable, ValidationFailed
from tasuki.core.jsontext import dump
from tasuki.core.urls import async_url

Session = AsyncSession
"""A unit of work in progress. Add to it and read from it; it is committed by who opened it."""

# SQLSTATE classes (PostgreSQL, appendix A) that say "try again later": connection lost,
# lost against another transaction, out of resources, server stopping or starting.
_PASSING_SQLSTATES = ("08", "40", "53", "57P")
_NO_TEXT = ("22021", "22P05")  # no character, or none that can be written
_RETRY_AFTER_S = 2
# A connection that is lost while it is made ready shows as the driver's own error.
_FROM_THE_DRIVER = (asyncpg.InterfaceError, asyncpg.InternalClientError)


class Base(DeclarativeBase):
    """Root of every table, with one metadata for the migrations."""


@dataclass(frozen=True, kw_only=True)
class PoolUse:
    """Connections of a pool: lent out, waiting, and as many as there may be."""

    in_use: int
    idle: int
    most: int


class Database:
    """A pool of connections to one PostgreSQL database, for one event loop.

    Args:
        url: ``postgresql://…`` or ``postgresql+asyncpg://…``.
        pool_size: Most connections at once; opened when they are needed, then kept.
        name: Shown in ``pg_stat_activity``, so that an operator sees who holds what.
        statement_timeout_s: PostgreSQL ends a statement that takes longer.
    """

    def __init__(
        self, url: str, *, pool_size: int = 20, name: str = "tasuki", statement_timeout_s: int = 30
    ) -> None:
        self._pool_size = pool_size
        self._engine = create_async_engine(
            async_url(url),
            pool_size=pool_size,
            max_overflow=0,  # what overflows is closed after each use: 10 ms a connection
            pool_timeout=5,
            pool_recycle=1800,
            json_serializer=dump,
            connect_args={
                "timeout": 5,
                "command_timeout": statement_timeout_s + 5,
                "server_settings": {
                    "application_name": name,
                    "timezone": "UTC",
                    # Short statements lose more by being compiled than they gain.
                    "jit": "off",
                    "statement_timeout": f"{statement_timeout_s}s",
                    "idle_in_transaction_session_timeout": "60s",
                    # Without it the query of a process that was killed runs on to its end.
                    "client_connection_check_interval": "2s",
                    # An export that is made again must have its rows in the same order.
                    "synchronize_seqscans": "off",
                },
            },
        )
        self._single = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._sessions = async_sessionmaker(self._engine, expire_on_commit=False)

    @asynccontextmanager
    async def unit_of_work(self) -> AsyncGenerator[Session]:
        """Open a transaction; commit at the end of the block, roll back if it raises.

        Raises:
            Unavailable: The database cannot be reached, or went away meanwhile.
            ValidationFailed: A text has the character U+0000.
        """
        with _faults_told():
            async with self._sessions() as session, session.begin():
                yield session

    async def run(self, statement: Executable, parameters: Mapping[str, Any]) -> list[Any]:
        """Run one statement as a transaction of its own, and return its rows as mappings.

        It saves the two round trips in which a unit of work begins and commits.

        Raises:
            Unavailable: The database cannot be reached, or went away meanwhile.
        """
        with _faults_told():
            async with self._single.connect() as connection:
                result = await connection.execute(statement, parameters)
                return list(result.mappings())

    @asynccontextmanager
    async def driver(self) -> AsyncGenerator[Any]:
        """Lend the driver's own connection (asyncpg), for COPY.

        A block that fails leaves it in a state nobody knows, so it is closed then.

        Raises:
            Unavailable: The database cannot be reached.
        """
        with _faults_told():
            connection = await self._engine.connect()
        try:
            raw = await connection.get_raw_connection()
            yield raw.driver_connection
        except BaseException:
            await connection.invalidate()
            raise
        finally:
            await connection.close()

    def pool_use(self) -> PoolUse:
        """Return how many connections are in use at this moment."""
        pool: Any = self._engine.pool
        return PoolUse(in_use=pool.checkedout(), idle=pool.checkedin(), most=self._pool_size)

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()


def after_commit(session: Session, call: Callable[[], None]) -> None:
    """Call once after this session's transaction was committed, and never if it was not."""

    def committed(_session: object) -> None:
        call()

    event.listen(session.sync_session, "after_commit", committed, once=True)


@contextmanager
def _faults_told() -> Generator[None]:
    """Turn the errors that mean "the database does not answer" into ours."""
    try:
        yield
    except (DBAPIError, PoolTimeout, OSError, TimeoutError, *_FROM_THE_DRIVER) as exc:
        if _is_unreadable(exc):
            raise ValidationFailed("Text with the character U+0000 cannot be kept.") from exc
        if not _is_passing(exc):
            raise
        raise Unavailable("The database does not answer.", retry_after_s=_RETRY_AFTER_S) from exc


def _is_unreadable(exc: BaseException) -> bool:
    """Whether somebody's text has a character that no text in PostgreSQL can have."""
    return isinstance(exc, DBAPIError) and _sqlstate(exc) in _NO_TEXT


def _is_passing(exc: BaseException) -> bool:
    """Whether the error means that the database does not answer, not that it refused."""
    if isinstance(exc, DBAPIError):
        sqlstate = _sqlstate(exc)
        return (
            exc.connection_invalidated
            or sqlstate.startswith(_PASSING_SQLSTATES)
            or (
                isinstance(exc, OperationalError | InterfaceError | InternalError) and not sqlstate
            )
        )
    return True


def _sqlstate(exc: DBAPIError) -> str:
    return str(getattr(exc.orig, "sqlstate", "") or "")
