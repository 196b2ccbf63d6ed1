"""Tasks that tests order, loaded by web and workers as a project's own module."""

import asyncio
import ctypes
import os
import signal
import time
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import text

from tasuki import Fatal, Retry, TaskContext, task
from tasuki.tasks.errors import Again


@task("test.echo")
async def echo(ctx: TaskContext, *, text: str = "hello") -> dict[str, str]:
    """Return its argument."""
    del ctx
    return {"text": text}


@task("test.keep")
async def keep(ctx: TaskContext, *, data: Any = None) -> Any:
    """Return whatever it was given."""
    del ctx
    return data


@task("test.echo_cpu", lane="cpu")
async def echo_cpu(ctx: TaskContext, *, text: str = "hello") -> dict[str, str]:
    """Return its argument, from a process of its own."""
    del ctx
    return {"text": text}


@task("test.mark")
async def mark(ctx: TaskContext, *, file: str, hold: str | None = None) -> None:
    """Append a line to a file, then wait until another file is there."""
    write_line(file, f"{ctx.task_id} {ctx.attempt} {os.getpid()}")
    while hold is not None and not Path(hold).exists():
        await asyncio.sleep(0.02)


@task("test.mark_cpu", lane="cpu")
async def mark_cpu(ctx: TaskContext, *, file: str, hold: str | None = None) -> None:
    """Do as `mark`, in a process of its own."""
    await mark(ctx, file=file, hold=hold)


@task("test.steps")
async def steps(ctx: TaskContext, *, count: int = 3, hold: str | None = None) -> int:
    """Tell of some steps and lines."""
    for step in range(count):
        await ctx.progress(step, of=count, unit="steps", message=f"Step {step}")
        await ctx.log(f"line {step}")
    while hold is not None and not Path(hold).exists():
        await asyncio.sleep(0.02)
    await ctx.progress(count, of=count, unit="steps")
    return count


@task("test.fail", retry=Retry(tries=3, first=timedelta(milliseconds=50)))
async def fail(ctx: TaskContext, *, until: int = 99, fatal: bool = False) -> int:
    """Raise at each attempt before the given one."""
    if fatal:
        raise Fatal("no use")
    if ctx.attempt < until:
        raise RuntimeError(f"attempt {ctx.attempt}")
    return ctx.attempt


@task("test.ask_wrongly")
async def ask_wrongly(ctx: TaskContext, *, secret: str) -> None:
    """Fail in the database, whose error tells the statement."""
    async with ctx.unit_of_work() as session:
        await session.execute(text("SELECT * FROM nowhere WHERE it = :it"), {"it": secret})


@task("test.on_and_on")
async def on_and_on(ctx: TaskContext, *, file: str, steps: int = 3) -> int:
    """Do a step an attempt; put itself back until all are done."""
    write_line(file, f"{ctx.task_id} {ctx.attempt}")
    done = len(Path(file).read_text().splitlines())
    if done < steps:
        raise Again
    return done


@task("test.slow", timeout=timedelta(seconds=0.5))
async def slow(ctx: TaskContext, *, file: str | None = None) -> None:
    """Take longer than it may; write a line on the way out."""
    try:
        await asyncio.sleep(60)
    finally:
        if file:
            write_line(file, f"{ctx.task_id} cleaned up")


@task("test.wait")
async def wait(ctx: TaskContext, *, file: str | None = None, hold: str | None = None) -> None:
    """Wait to be cancelled, then for another file; write a line on the way out."""
    if file:
        write_line(file, f"{ctx.task_id} started")
    try:
        await asyncio.sleep(600)
    finally:
        while hold is not None and not Path(hold).exists():
            await asyncio.sleep(0.02)
        if file:
            write_line(file, f"{ctx.task_id} cleaned up")


@task("test.spin_cpu", lane="cpu", timeout=timedelta(seconds=1))
async def spin_cpu(ctx: TaskContext, *, heed: bool = False) -> None:
    """Compute for ever, with or without looking up."""
    while True:
        if heed:
            _ = ctx.checkpoint()


@task("test.spin_io")
async def spin_io(ctx: TaskContext, *, file: str) -> None:
    """Block the event loop for ever."""
    write_line(file, f"{ctx.task_id} {ctx.attempt}")
    while True:
        time.sleep(0.05)


@task("test.poison")
async def poison(ctx: TaskContext, *, file: str, how: str = "kill") -> None:
    """Take its process down."""
    write_line(file, f"{ctx.task_id} {ctx.attempt}")
    die(how)


@task("test.poison_cpu", lane="cpu")
async def poison_cpu(ctx: TaskContext, *, file: str, how: str = "kill") -> None:
    """Take its process down, in the cpu lane."""
    write_line(file, f"{ctx.task_id} {ctx.attempt}")
    die(how)


@task("test.large")
async def large(ctx: TaskContext, *, size: int) -> str:
    """Return a text of so many characters."""
    del ctx
    return "x" * size


@task("test.file")
async def file_of(ctx: TaskContext, *, text: str, name: str = "result.txt") -> None:
    """Leave a file."""
    async with ctx.artifact(name, "text/plain; charset=utf-8") as file:
        await file.write(text.encode())


@task("test.sum_up")
async def sum_up(ctx: TaskContext, *, batch_id: UUID, file: str | None = None) -> str:
    """Tell which batch it follows."""
    if file:
        write_line(file, str(ctx.task_id))
    return str(batch_id)


@task("test.own", allows=lambda user_id, args: args["user_id"] == user_id)
async def own(ctx: TaskContext, *, user_id: int) -> int:
    """Do something for a user; each may order it for themselves."""
    del ctx
    return user_id


@task("test.family")
async def family(ctx: TaskContext, *, deep: int, wide: int = 1, stay: bool = True) -> None:
    """Order children, and they theirs; stay, or leave them."""
    for _ in range(wide if deep else 0):
        await ctx.enqueue(family.having(tags=("child",)), deep=deep - 1, wide=wide, stay=stay)
    if stay:
        await asyncio.sleep(600)


@task("test.breed")
async def breed(ctx: TaskContext) -> None:
    """Order children for ever."""
    while True:
        await ctx.enqueue(echo.having(queue="email"))


@task("test.tell")
async def tell(
    ctx: TaskContext, *, title: str = "Done", user_id: int | None = None, data: Any = None
) -> None:
    """Tell somebody something."""
    await ctx.notify(title, "From a task", user_id=user_id, data=data)


@task("test.tell_cpu", lane="cpu")
async def tell_cpu(ctx: TaskContext, *, title: str) -> None:
    """Tell who ordered it, and take the process down at the first attempt."""
    await ctx.notify(title, "From a worker", notification_type="report")
    if ctx.attempt == 1:
        die("kill")


def die(how: str) -> None:
    """End this process in one of several ways."""
    if how == "exit":
        os._exit(3)
    if how == "segfault":
        ctypes.string_at(0)
    os.kill(os.getpid(), signal.SIGKILL)


def write_line(file: str, line: str) -> None:
    """Append a line in one write, so that lines of several processes do not mix."""
    with Path(file).open("a") as target:
        target.write(line + "\n")
