"""`tasuki demo`: people and activity to look at."""

from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tasuki.accounts.demo import fill_demo
from tasuki.cli.output import errors, out, settings_of
from tasuki.cli.system import with_system
from tasuki.core.database import Database
from tasuki.wiring import Tasuki


def demo(
    context: typer.Context,
    users: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many people.")] = 1_000,
    days: Annotated[int, typer.Option(min=1, max=366, help="How far back they were active.")] = 90,
    seed: Annotated[int, typer.Option(help="The same number gives the same people.")] = 1,
) -> None:
    """Fill an empty system with plausible people, without passwords, and their activity.

    [dim]Example: tasuki demo --users 100000[/dim]
    """
    bar = Progress(
        TextColumn("people"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=errors,
    )
    with bar:
        people = bar.add_task("people", total=users)

        async def fill(tasuki: Tasuki) -> int:
            return await fill_demo(
                tasuki.services.get(Database),
                users=users,
                days=days,
                seed=seed,
                on_progress=lambda done, _: bar.update(people, completed=done),
            )

        deeds = with_system(settings_of(context), fill)
    out.print(f"Added {users} people and {deeds} activities.", highlight=False)
