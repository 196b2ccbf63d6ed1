"""A connected system for the length of one command."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tasuki.core.database import Database
from tasuki.core.errors import Unavailable
from tasuki.core.logging import get_logger
from tasuki.wiring import Settings, Tasuki
from tasuki.wiring.migrations.lag import need_schema
from tasuki.wiring.people import Identity

log = get_logger(__name__)

Result = TypeVar("Result")


def with_system(
    settings: Settings,
    work: Callable[[Tasuki], Awaitable[Result]],
    *,
    identity: Identity | None = None,
) -> Result:
    """Run work on a connected system, and close its connections after it.

    Args:
        identity: Whose users there are; none: that is not known, as in a worker.

    Raises:
        OldSchema: The database was not upgraded to this version.
    """

    async def run() -> Result:
        async with Tasuki(settings).connected(identity) as tasuki:
            await need_schema(tasuki.services.get(Database))
            return await work(tasuki)

    return asyncio.run(run())


async def refuse_old_schema(settings: Settings) -> None:
    """Check the schema for a process that stays, and that waits for a database that is away.

    Raises:
        OldSchema: The database was not upgraded to this version.
    """
    database = Database(settings.need_database_url(), pool_size=1, name="tasuki start")
    try:
        await need_schema(database)
    except Unavailable as exc:
        log.warning("schema_not_checked", error=exc.detail)
    finally:
        await database.close()
