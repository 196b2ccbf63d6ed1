"""`tasuki db`: the schema, and where the database is."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from tasuki.cli.firststart import make_admin
from tasuki.cli.output import errors, out, say, settings_of
from tasuki.embedded.datadir import write_private
from tasuki.wiring.migrations import runner
from tasuki.wiring.migrations.steps import all_steps

app = typer.Typer(help="The database: migrations and its URL.", no_args_is_help=True)

Hidden = Annotated[Path | None, typer.Option(hidden=True)]


@app.command()
def upgrade(context: typer.Context, marker: Hidden = None, admin_file: Hidden = None) -> None:
    """Bring the database to the newest schema. Safe to repeat, and to run from several places.

    [dim]Example: tasuki db upgrade[/dim]
    """
    settings = settings_of(context)
    asyncio.run(runner.upgrade(settings.need_database_url()))
    if admin_file is not None:
        password = make_admin(settings)
        if password is not None:
            write_private(admin_file, password)
    if marker is not None:
        write_private(marker, all_steps())
    out.print(f"The schema is at {runner.head()}.")


@app.command()
def check(context: typer.Context) -> None:
    """Tell whether the database has the schema that this version expects.

    [dim]Example: tasuki db check[/dim]
    """
    settings = settings_of(context)
    found = asyncio.run(runner.differences(settings.need_database_url()))
    if found:
        for difference in found:
            errors.print(difference, markup=False)
        errors.print("Run `tasuki db upgrade`.")
        raise typer.Exit(1)
    out.print("The schema is as expected.")


@app.command()
def url(context: typer.Context) -> None:
    """Print the connection URL, password included.

    [dim]Example: psql "$(tasuki db url)"[/dim]
    """
    address = settings_of(context).need_database_url()
    say(address.replace("postgresql+asyncpg://", "postgresql://", 1))
