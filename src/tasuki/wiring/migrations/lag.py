"""Tells whether a database is older than this version, without loading what migrates it."""

from sqlalchemy import text

from tasuki.core.database import Database
from tasuki.wiring.migrations.steps import all_steps
from tasuki.wiring.settings import BadSetting

_IS_THERE = text("SELECT to_regclass('alembic_version') IS NOT NULL AS is_there")
_REVISION = text("SELECT version_num FROM alembic_version")


class OldSchema(BadSetting):
    """The database lacks steps of this version."""


async def need_schema(database: Database) -> None:
    """Check that all steps of this version were run.

    A database with more steps is fine: it was upgraded for a newer version beside this one.

    Raises:
        OldSchema: Some were not; the message says how to run them.
        Unavailable: The database does not answer.
    """
    steps = [name.partition("_")[0] for name in all_steps().split()]
    now = await _revision(database)
    if now is None or now in steps[:-1]:
        msg = (
            f"The schema of the database is at {now or 'nothing'}, and this version needs "
            f"{steps[-1]}: run `tasuki db upgrade`."
        )
        raise OldSchema(msg)


async def _revision(database: Database) -> str | None:
    (found,) = await database.run(_IS_THERE, {})
    if not found["is_there"]:
        return None
    rows = await database.run(_REVISION, {})
    return str(rows[0]["version_num"]) if rows else None
