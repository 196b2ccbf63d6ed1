"""`tasuki web`: serves HTTP."""

from typing import Annotated

import typer

from tasuki.cli.firststart import announce_admin
from tasuki.cli.output import ReadyFile, settings_of, with_address
from tasuki.core.logging import configure_logging
from tasuki.wiring.web import run_web


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
            # In one step: whoever waits for the file also reads it.
            fresh = ready_file.with_suffix(".new")
            fresh.write_text(address)
            fresh.replace(ready_file)

    run_web(settings, on_ready=on_ready)
