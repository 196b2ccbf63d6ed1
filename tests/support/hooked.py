"""A module of one's own with hooks: for all tasks, and for one. Hooks write to a file."""

import os

from support.jobs import write_line
from tasuki import Fatal, TaskContext, task
from tasuki.core.database import Database
from tasuki.tasks.hooks import Ended, Hooks

FILE = "TASUKI_TEST_HOOKS"
"""The variable that names the file."""


async def tell(ended: Ended) -> None:
    """Write what ended, having found a service."""
    ended.get(Database)
    write_line(os.environ[FILE], f"every {ended.name} {ended.state} {ended.attempt}")


async def tell_own(ended: Ended) -> None:
    """Write what ended, for one task."""
    write_line(os.environ[FILE], f"own {ended.name} {ended.state} {ended.result}")


EVERY = Hooks(on_success=tell, on_failure=tell, on_cancel=tell, on_retry=tell)
OWN = Hooks(on_success=tell_own)


@task("hooked.work", hooks=OWN)
async def work(ctx: TaskContext, *, well: bool = True) -> int:
    """Succeed or not."""
    if not well:
        raise Fatal("no")
    return ctx.attempt


@task("hooked.work_cpu", lane="cpu", hooks=OWN)
async def work_cpu(ctx: TaskContext) -> int:
    """Succeed, in the cpu lane."""
    return ctx.attempt
