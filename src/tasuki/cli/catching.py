"""`tasuki mail catch`: the mail system of a machine that has none."""

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer

from tasuki.cli.output import ReadyFile, settings_of
from tasuki.core.database import Database
from tasuki.core.logging import configure_logging, get_logger
from tasuki.wiring.settings import Settings

_log = get_logger(__name__)


def catch(
    context: typer.Context,
    port: Annotated[int, typer.Option(help="TCP port on 127.0.0.1; 0 takes a free one.")] = 0,
    ready_file: ReadyFile = None,
) -> None:
    """Take every mail by SMTP, deliver none, and let admins read them. `tasuki up` starts it.

    [dim]Example: tasuki mail catch --port 2525[/dim]
    """
    settings = settings_of(context)
    configure_logging()
    asyncio.run(_catch(settings, port, ready_file))


async def _catch(settings: Settings, port: int, ready_file: Path | None) -> None:
    from tasuki.mail.catching.server import catching  # noqa: PLC0415  # others need no server
    from tasuki.mail.catching.service import Catcher  # noqa: PLC0415  # as above

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    database = Database(settings.need_database_url(), pool_size=5, name="tasuki mail catch")
    try:
        async with catching(Catcher(database), port=port) as taken:
            _log.info("mail is caught and not delivered", address=f"127.0.0.1:{taken}")
            if ready_file is not None:
                await asyncio.to_thread(ready_file.touch)
            await stop.wait()
    finally:
        await database.close()
