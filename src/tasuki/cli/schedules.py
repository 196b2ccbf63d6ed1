"""`tasuki schedule`: what begins by the clock."""

from datetime import datetime
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from tasuki.cli.output import out, settings_of
from tasuki.cli.system import with_system
from tasuki.core.database import Database
from tasuki.tasks.schedules import ScheduleService
from tasuki.tasks.schedules.service import ScheduleStatus
from tasuki.wiring import Tasuki

app = typer.Typer(help="Schedules: look, switch on and off.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The schedule's name.")]


@app.command("list")
def list_schedules(context: typer.Context) -> None:
    """List schedules with their last and next run.

    [dim]Example: tasuki schedule list[/dim]
    """

    async def find(tasuki: Tasuki) -> list[ScheduleStatus]:
        async with tasuki.services.get(Database).unit_of_work() as session:
            return await tasuki.services.get(ScheduleService).status(session)

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for column in ("schedule", "when", "on", "last run", "next run"):
        table.add_column(column, overflow="fold")
    for status in with_system(settings_of(context), find):
        table.add_row(
            Text(status.name),
            Text(status.at),
            "yes" if status.enabled else "no",
            _moment(status.last_run_at),
            _moment(status.next_run_at),
        )
    out.print(table)


@app.command()
def enable(context: typer.Context, name: Name) -> None:
    """Switch a schedule on, from its next slot.

    [dim]Example: tasuki schedule enable tasks.cleanup[/dim]
    """
    _switch(context, name, enabled=True)


@app.command()
def disable(context: typer.Context, name: Name) -> None:
    """Switch a schedule off; slots that pass meanwhile are not made up.

    [dim]Example: tasuki schedule disable tasks.cleanup[/dim]
    """
    _switch(context, name, enabled=False)


def _switch(context: typer.Context, name: str, *, enabled: bool) -> None:
    async def change(tasuki: Tasuki) -> ScheduleStatus:
        async with tasuki.services.get(Database).unit_of_work() as session:
            service = tasuki.services.get(ScheduleService)
            return await service.switch(session, name, enabled=enabled)

    status = with_system(settings_of(context), change)
    state = f"on; next run {_moment(status.next_run_at)}" if status.enabled else "off"
    out.print(f"{status.name} is {state}.", markup=False, highlight=False)


def _moment(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}Z"
