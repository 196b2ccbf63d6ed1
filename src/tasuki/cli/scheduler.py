"""`tasuki scheduler`: rings, repairs, and orders what begins by the clock."""

import asyncio
import signal
from pathlib import Path

import typer

from tasuki.cli.output import ReadyFile, settings_of
from tasuki.cli.system import refuse_old_schema
from tasuki.core.logging import configure_logging
from tasuki.wiring import Settings, Tasuki


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
    await refuse_old_schema(settings)
    async with Tasuki(settings).running() as tasuki:
        clock = tasuki.scheduler()
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
