"""`tasuki web`, `worker`, `scheduler`: the parts one by one, for production."""

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer

from tasuki.cli.firststart import announce_admin
from tasuki.cli.output import settings_of
from tasuki.core.logging import configure_logging
from tasuki.tasks.celery import WorkerOptions
from tasuki.tasks.declare import LANES, Lane
from tasuki.wiring import Settings, Tasuki, workers
from tasuki.wiring import web as web_process
from tasuki.wiring.services import SCHEDULES

ReadyFile = Annotated[
    Path | None, typer.Option(hidden=True, help="Created when the process is ready.")
]
_STOP_GRACE_S = 20.0


def web(
    context: typer.Context,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="TCP port; 0 takes a free one.")] = None,
    ready_file: ReadyFile = None,
) -> None:
    """Serve the API and the console.

    [dim]Example: TASUKI_DATABASE_URL=… TASUKI_REDIS_URL=… tasuki web --port 8080[/dim]
    """
    settings = with_address(settings_of(context), host, port)
    configure_logging()
    announce_admin(settings)

    def on_ready(address: str) -> None:
        if ready_file is not None:
            ready_file.write_text(address)

    web_process.run_web(settings, on_ready=on_ready)


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
    if lane not in LANES:
        msg = f"--lane must be one of: {', '.join(LANES)}"
        raise typer.BadParameter(msg)
    chosen: Lane = "io" if lane == "io" else "cpu"
    settings = settings_of(context)
    tasks = settings.tasks
    options = WorkerOptions(
        lane=chosen,
        concurrency=concurrency
        or (tasks.io_concurrency if chosen == "io" else tasks.cpu_concurrency),
        stop_grace_s=stop_grace_s,
        ready_file=ready_file,
    )
    raise typer.Exit(workers.run(settings, options))


def scheduler(context: typer.Context, ready_file: ReadyFile = None) -> None:
    """Ring for due tasks, repair, and order what begins by the clock.

    Any number may run; each slot is ordered once.

    [dim]Example: tasuki scheduler[/dim]
    """
    settings = settings_of(context)
    configure_logging()
    asyncio.run(_schedule(settings, ready_file))


async def _schedule(settings: Settings, ready_file: Path | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with Tasuki(settings).running() as tasuki:
        clock = tasuki.scheduler(SCHEDULES)
        ticking = asyncio.create_task(clock.run_for_ever(), name="scheduler")
        if ready_file is not None:
            await asyncio.to_thread(ready_file.touch)
        waiting = asyncio.create_task(stop.wait(), name="stop")
        await asyncio.wait({ticking, waiting}, return_when=asyncio.FIRST_COMPLETED)
        ticking.cancel()
        waiting.cancel()
        ended = await asyncio.gather(ticking, waiting, return_exceptions=True)
        if isinstance(ended[0], Exception):
            raise ended[0]


def with_address(settings: Settings, host: str | None, port: int | None) -> Settings:
    """Return the settings with the address of the command line, where it names one."""
    given = {"host": host, "port": port}
    chosen = {name: value for name, value in given.items() if value is not None}
    web = type(settings.web).model_validate(settings.web.model_dump() | chosen)
    return settings.model_copy(update={"web": web})
