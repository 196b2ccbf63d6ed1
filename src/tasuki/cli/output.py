"""How the command line talks: results on standard output, all else on standard error."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from tasuki.wiring.settings import Settings, load_settings

ReadyFile = Annotated[
    Path | None, typer.Option(hidden=True, help="Created when the process is ready.")
]

out = Console()
errors = Console(stderr=True)


def say(line: str) -> None:
    """Print a line that programs read as well: unwrapped, at once, and in one piece.

    In one piece, because other processes write to the same terminal.
    """
    print(f"{line}\n", end="", flush=True)  # noqa: T201  # see above


def settings_of(context: typer.Context, *, beside_running: bool = True, **given: Any) -> Settings:
    """Return the settings of this call, from ``--config`` and the environment.

    Args:
        beside_running: Whether to use the servers of a running ``tasuki up``.
        given: Options of the command line that count before both, where they are not None.
    """
    config: Path | None = context.find_root().obj
    chosen = {name: value for name, value in given.items() if value is not None}
    return load_settings(config, beside_running=beside_running, **chosen)


def with_address(settings: Settings, host: str | None, port: int | None) -> Settings:
    """Return the settings with the address of the command line, where it names one."""
    given = {"host": host, "port": port}
    chosen = {name: value for name, value in given.items() if value is not None}
    web = type(settings.web).model_validate(settings.web.model_dump() | chosen)
    return settings.model_copy(update={"web": web})
