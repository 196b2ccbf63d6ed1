"""Brings a database to the newest schema, or tells how it differs."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

import tasuki.accounts.models
import tasuki.activity.models
import tasuki.chat.models
import tasuki.exports.models
import tasuki.mail.models
import tasuki.notifications.models
import tasuki.realtime.models
import tasuki.tasks.batches.models
import tasuki.tasks.models
import tasuki.tasks.observing.models
import tasuki.tasks.schedules.models  # noqa: F401  # the models must be loaded to be compared
from tasuki.core.database import Base
from tasuki.core.urls import async_url

_FOLDER = Path(__file__).parent
# Two processes that start together must not migrate together.
_LOCK = 0x7A5C_1157


async def upgrade(url: str, revision: str = "head") -> None:
    """Run all steps that are missing; safe to call from several processes."""
    await _with_connection(url, lambda connection: _upgrade(connection, revision))


async def differences(url: str) -> list[str]:
    """Return how the database's schema differs from what the code expects; empty: not at all."""
    found: list[str] = await _with_connection(url, _differences)
    return found


def head() -> str:
    """Return the name of the newest step."""
    return str(ScriptDirectory(str(_FOLDER)).get_current_head())


async def _with_connection(url: str, work: Any) -> Any:
    engine = create_async_engine(async_url(url))
    try:
        async with asyncio.timeout(300), engine.begin() as connection:
            return await connection.run_sync(work)
    finally:
        await engine.dispose()


def _upgrade(connection: Connection, revision: str) -> None:
    connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    command.upgrade(_config(connection), revision)


def _differences(connection: Connection) -> list[str]:
    context = MigrationContext.configure(connection, opts={"include_name": _is_ours})
    now = context.get_current_revision()
    if now != head():
        return [f"the schema is at {now or 'nothing'}, the code expects {head()}"]
    return [str(change) for change in compare_metadata(context, Base.metadata)]


def _is_ours(name: str | None, kind: str, _parents: Mapping[str, str | None]) -> bool:
    """Whether something in the database is to be compared: an application has its own tables."""
    return kind != "table" or name in Base.metadata.tables


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.attributes["connection"] = connection
    config.attributes["metadata"] = Base.metadata
    return config
