"""Tasks that the console's tests look at, and rows that they export."""

import asyncio
from pathlib import Path

from sqlalchemy import Integer, String, cast, func, select

from support import cells
from tasuki import Retry, TaskContext, task
from tasuki.core.datasets import Dataset

GATED = cells.GATED

_numbers = select(func.generate_series(1, 50_000_000, type_=Integer).label("n")).subquery()

LINES = Dataset(
    name="lines",
    about="More than anybody can take; a kilobyte each.",
    rows=select(
        _numbers.c.n,
        func.repeat(func.md5(cast(_numbers.c.n, String)), 31, type_=String).label("text"),
    ),
)
"""Made while they are read: as many as a test asks for, and no end where it does not."""


@task("console.say", retry=Retry(tries=1))
async def say(
    ctx: TaskContext,
    *,
    lines: list[str],
    then: list[str] | None = None,
    hold: str | None = None,
    fail: str | None = None,
) -> dict[str, list[str]]:
    """Write lines, wait until a file is there, write more, and return or raise what was given."""
    for number, line in enumerate(lines, start=1):
        await ctx.log(line)
        await ctx.progress(number, of=len(lines) + len(then or []), unit="lines", message=line)
    while hold is not None and not Path(hold).exists():
        await asyncio.sleep(0.02)
    for line in then or []:
        await ctx.log(line, "warning")
    if fail is not None:
        raise RuntimeError(fail)
    return {"lines": lines}


@task("console.need", retry=Retry(tries=1))
async def need(ctx: TaskContext, *, file: str) -> str:
    """Fail until a file is there, as work does whose cause of failure somebody mends."""
    del ctx
    if not Path(file).exists():
        raise FileNotFoundError(f"{file} is missing")
    return file
