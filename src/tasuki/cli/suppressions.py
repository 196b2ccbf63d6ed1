"""`tasuki mail suppressions`: the addresses that are written to no more."""

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from tasuki.cli.output import out, say, settings_of
from tasuki.cli.system import with_system
from tasuki.core.database import Database
from tasuki.mail.records import Suppression
from tasuki.mail.suppressions.schemas import SuppressionOut
from tasuki.mail.suppressions.service import SuppressionService
from tasuki.wiring import Tasuki

app = typer.Typer(help="Addresses that are written to no more.", no_args_is_help=True)

Address = Annotated[str, typer.Argument(help="The address.")]


@app.command("list")
def list_suppressions(
    context: typer.Context,
    starts_with: Annotated[str, typer.Option(help="Only those that begin so.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one a line.")] = False,
) -> None:
    """List the addresses that are written to no more, and why.

    [dim]Example: tasuki mail suppressions list --starts-with hana[/dim]
    """

    async def find(tasuki: Tasuki) -> list[Suppression]:
        async with tasuki.services.get(Database).unit_of_work() as session:
            service = tasuki.services.get(SuppressionService)
            return await service.page(session, after=None, starts_with=starts_with, limit=limit)

    found = with_system(settings_of(context), find)
    if as_json:
        for one in found:
            say(SuppressionOut.model_validate(one).model_dump_json())
        return
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("address", no_wrap=True)  # whole: it is what one copies
    for column in ("reason", "since", "detail"):
        table.add_column(column, overflow="fold")
    for one in found:
        since = f"{one.created_at:%Y-%m-%d %H:%M}Z"
        table.add_row(Text(one.address), one.reason, since, Text(one.detail))
    out.print(table)


@app.command()
def add(
    context: typer.Context,
    address: Address,
    detail: Annotated[str, typer.Option(help="Why, for people.")] = "",
) -> None:
    """Write to an address no more, whoever orders it. Twice is fine.

    [dim]Example: tasuki mail suppressions add hana@example.org --detail "asked by phone"[/dim]
    """

    async def change(tasuki: Tasuki) -> Suppression:
        async with tasuki.services.get(Database).unit_of_work() as session:
            service = tasuki.services.get(SuppressionService)
            return await service.add(session, address, detail=detail)

    added = with_system(settings_of(context), change)
    _print(f"{added.address} is written to no more ({added.reason}).")


@app.command()
def remove(context: typer.Context, address: Address) -> None:
    """Write to an address again.

    [dim]Example: tasuki mail suppressions remove hana@example.org[/dim]
    """

    async def change(tasuki: Tasuki) -> None:
        async with tasuki.services.get(Database).unit_of_work() as session:
            await tasuki.services.get(SuppressionService).remove(session, address)

    with_system(settings_of(context), change)
    _print(f"{address} is written to again.")


def _print(sentence: str) -> None:
    out.print(sentence, highlight=False, markup=False, soft_wrap=True)
