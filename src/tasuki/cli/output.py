"""How the command line talks: results on standard output, all else on standard error."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import typer
from rich.console import Console

from tasuki.wiring import Settings, Tasuki, load_settings

Result = TypeVar("Result")

out = Console()
errors = Console(stderr=True)


def settings_of(context: typer.Context, *, beside_running: bool = True, **given: Any) -> Settings:
    """Return the settings of this call, from ``--config`` and the environment.

    Args:
        beside_running: Whether to use the servers of a running ``tasuki up``.
        given: Options of the command line that count before both, where they are not None.
    """
    config: Path | None = context.find_root().obj
    chosen = {name: value for name, value in given.items() if value is not None}
    return load_settings(config, beside_running=beside_running, **chosen)


def with_system(settings: Settings, work: Callable[[Tasuki], Awaitable[Result]]) -> Result:
    """Run work on a connected system, and close its connections after it."""

    async def run() -> Result:
        async with Tasuki(settings).connected() as tasuki:
            return await work(tasuki)

    return asyncio.run(run())
