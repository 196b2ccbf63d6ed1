"""PostgreSQL: connections, units of work, and what a lost connection means.

A unit of work is one transaction: it commits when its block ends well and rolls back when
it does not. Nothing else in Tasuki commits. Errors that mean "the database does not answer
now" become `Unavailable` at this border, so that callers need no SQLAlchemy to read them.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from tasuki.core.errors import Unavailable
from tasuki.core.jsontext import dump

Session = AsyncSession
"""A unit of work in progress. Add to it and read from it; it is committed by who opened it."""

# SQLSTATE classes (PostgreSQL, appendix A) that say "try again later": connection lost,
# out of resources, server stopping or starting.
_PASSING_SQLSTATES = ("08", "53", "57P")
_RETRY_AFTER_S = 2


class Base(DeclarativeBase):
    """Root of every table, with one metadata for the migrations."""


class Database:
    """A pool of connections to one PostgreSQL database, for one event loop.

    Args:
        url: ``postgresql://…`` or ``postgresql+asyncpg://…``.
        pool_size: Connections kept open; under pressure up to ``pool_size`` more are opened.
        name: Shown in ``pg_stat_activity``, so that an operator sees who holds what.
        statement_timeout_s: PostgreSQL ends a statement that takes longer.
    """

    def __init__(
        self, url: str, *, pool_size: int = 10, name: str = "tasuki", statement_timeout_s: int = 30
    ) -> None:
        self._engine = create_async_engine(
            async_url(url),
            pool_size=pool_size,
            max_overflow=pool_size,
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
                },
            },
        )
        self._sessions = async_sessionmaker(self._engine, expire_on_commit=False)

    @asynccontextmanager
    async def unit_of_work(self) -> AsyncGenerator[Session]:
        """Open a transaction; commit at the end of the block, roll back if it raises.

        Raises:
            Unavailable: The database cannot be reached, or went away meanwhile.
        """
        try:
            async with self._sessions() as session, session.begin():
                yield session
        except (DBAPIError, PoolTimeout, OSError, TimeoutError) as exc:
            if _is_passing(exc):
                raise Unavailable(
                    "The database does not answer.", retry_after_s=_RETRY_AFTER_S
                ) from exc
            raise

    @asynccontextmanager
    async def driver(self) -> AsyncGenerator[Any]:
        """Lend the driver's own connection (asyncpg), for COPY."""
        async with self._engine.connect() as connection:
            raw = await connection.get_raw_connection()
            yield raw.driver_connection

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()


def async_url(url: str) -> str:
    """Return the URL with the asynchronous driver named, whatever form it came in."""
    scheme, _, rest = url.partition("://")
    if scheme not in {"postgresql", "postgres", "postgresql+asyncpg"}:
        msg = f"not a PostgreSQL URL: it starts with {scheme!r}, expected 'postgresql://…'"
        raise ValueError(msg)
    return f"postgresql+asyncpg://{rest}"


def after_commit(session: Session, call: Callable[[], None]) -> None:
    """Call once after this session's transaction was committed, and never if it was not."""

    def committed(_session: object) -> None:
        call()

    event.listen(session.sync_session, "after_commit", committed, once=True)


def _is_passing(exc: BaseException) -> bool:
    """Whether the error means that the database does not answer, not that it refused."""
    if isinstance(exc, DBAPIError):
        sqlstate = str(getattr(exc.orig, "sqlstate", "") or "")
        return (
            exc.connection_invalidated
            or sqlstate.startswith(_PASSING_SQLSTATES)
            or (isinstance(exc, OperationalError | InterfaceError) and not sqlstate)
        )
    return True
