"""The work of the task engine itself that runs in the background."""

from datetime import timedelta

from tasuki.tasks.context import TaskContext
from tasuki.tasks.declare import Retry, task
from tasuki.tasks.engine.cleaner import Cleaner
from tasuki.tasks.schedules.declare import CatchUp, Every, Schedule


@task("tasks.cleanup", queue="cleanup", retry=Retry(tries=3), timeout=timedelta(minutes=30))
async def cleanup(ctx: TaskContext) -> dict[str, int]:
    """Delete tasks whose retention is over, and files that no task knows.

    The reaper forgets tasks within seconds of their time; this makes sure of it, and finds
    the files that dead processes left.
    """
    cleaner = ctx.get(Cleaner)
    await ctx.progress(0, of=2, message="Deleting old tasks")
    tasks = await cleaner.purge()
    await ctx.progress(1, of=2, message="Looking for stray files")
    return {"tasks": tasks, "files": await cleaner.sweep()}


CLEANUP = Schedule(task=cleanup, at=Every(timedelta(hours=1)), catch_up=CatchUp.LAST)
"""Once an hour, and once after a time in which nothing ran."""
