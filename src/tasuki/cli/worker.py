"""`tasuki worker`: runs tasks of one lane."""

import asyncio
from typing import Annotated

import typer

from tasuki.cli.output import ReadyFile, settings_of
from tasuki.cli.system import refuse_old_schema
from tasuki.tasks.celery import WorkerOptions
from tasuki.tasks.states import WORKER_LANES, Lane
from tasuki.wiring.workers import run

_STOP_GRACE_S = 20.0


def worker(
    context: typer.Context,
    lane: Annotated[str, typer.Option(help="io: waits much; cpu: computes.")],
    concurrency: Annotated[
        int | None, typer.Option(help="Tasks at once; default: 100 (io), one a processor (cpu).")
    ] = None,
    stop_grace_s: Annotated[
        float, typer.Option(help="Seconds that running tasks get at a stop.")
    ] = _STOP_GRACE_S,
    ready_file: ReadyFile = None,
) -> None:
    """Run tasks of one lane.

    [dim]Example: tasuki worker --lane io[/dim]
    """
    if lane not in WORKER_LANES:
        msg = f"--lane must be one of: {', '.join(WORKER_LANES)}"
        raise typer.BadParameter(msg)
    chosen: Lane = "io" if lane == "io" else "cpu"
    settings = settings_of(context)
    asyncio.run(refuse_old_schema(settings))
    tasks = settings.tasks
    options = WorkerOptions(
        lane=chosen,
        concurrency=concurrency
        or (tasks.io_concurrency if chosen == "io" else tasks.cpu_concurrency),
        stop_grace_s=stop_grace_s,
        ready_file=ready_file,
    )
    raise typer.Exit(run(settings, options))
