"""Tasks that tell when they began and ended, and die on request; loaded by the workers."""

import asyncio
import os
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from chaos.ledger import Book
from support.jobs import die
from tasuki import Retry, TaskContext, task

MOST_BYTES = 1_000_000
"""Largest file of a task in a storm."""
_RETRY = Retry(tries=3, first=timedelta(milliseconds=200))


@task("chaos.work", retry=_RETRY)
async def work(
    ctx: TaskContext,
    *,
    key: str,
    book: str,
    takes_s: float = 0,
    hold: str | None = None,
    steps: int = 0,
    how: str = "",
) -> dict[str, Any]:
    """Write down its beginning, do as told, write down its end.

    Args:
        hold: A file to wait for; with ``.N`` at its end it lets only attempt N go.
        steps: How often to tell of progress, over `takes_s`.
        how: ``raise`` at all but the last attempt, or a way to take the process down.
    """
    del key
    witness = Book(Path(book))
    words = {"id": str(ctx.task_id), "attempt": ctx.attempt, "pid": os.getpid()}
    witness.write(what="start", **words)
    if how == "raise" and ctx.attempt < 3:
        raise RuntimeError(f"attempt {ctx.attempt}")
    if how and how != "raise":
        die(how)
    for step in range(steps):
        await ctx.progress(step + 1, of=steps)
        await asyncio.sleep(takes_s / steps)
    if not steps:
        await asyncio.sleep(takes_s)
    while hold is not None and not _may_go(hold, ctx.attempt):
        await asyncio.sleep(0.02)
    witness.write(what="end", **words)
    return {"attempt": ctx.attempt}


@task("chaos.work_cpu", lane="cpu", retry=_RETRY)
async def work_cpu(
    ctx: TaskContext,
    *,
    key: str,
    book: str,
    takes_s: float = 0,
    hold: str | None = None,
    steps: int = 0,
    how: str = "",
) -> dict[str, Any]:
    """Do as `work`, in a process of its own."""
    return await work(ctx, key=key, book=book, takes_s=takes_s, hold=hold, steps=steps, how=how)


@task("chaos.work_local", lane="local", retry=_RETRY)
async def work_local(
    ctx: TaskContext, *, key: str, book: str, takes_s: float = 0, steps: int = 0, how: str = ""
) -> dict[str, Any]:
    """Do as `work`, in a web process."""
    return await work(ctx, key=key, book=book, takes_s=takes_s, steps=steps, how=how)


@task("chaos.endless")
async def endless(ctx: TaskContext, *, key: str, book: str) -> None:
    """Block the event loop for ever."""
    await work(ctx, key=key, book=book)
    while True:
        time.sleep(0.05)


@task("chaos.endless_cpu", lane="cpu", timeout=timedelta(seconds=1))
async def endless_cpu(ctx: TaskContext, *, key: str, book: str) -> None:
    """Compute for ever and never look up."""
    await work(ctx, key=key, book=book)
    while True:
        pass


@task("chaos.greedy")
async def greedy(ctx: TaskContext, *, key: str, book: str) -> str:
    """Return more than a file may hold in a storm."""
    await work(ctx, key=key, book=book)
    return "x" * (2 * MOST_BYTES)


def _may_go(hold: str, attempt: int) -> bool:
    return Path(hold).exists() or Path(f"{hold}.{attempt}").exists()


@task("chaos.large_cpu", lane="cpu")
async def large_cpu(ctx: TaskContext, *, size: int) -> str:
    """Return a text of so many characters."""
    del ctx
    return "x" * size
