"""Ordering many tasks again, in the background."""

from datetime import timedelta

from tasuki.tasks.context import TaskContext
from tasuki.tasks.declare import Retry, task
from tasuki.tasks.replays.schemas import ReplayWanted
from tasuki.tasks.replays.service import FIRST, ReplayService

_AT_ONCE = 200  # tasks of one transaction: short, however many there are


@task(
    "tasks.replay",
    queue="cleanup",
    retry=Retry(tries=3),
    timeout=timedelta(hours=1),
    allows=lambda user_id, args: bool(args["wanted"]["owner_id"] == user_id),
)
async def replay(ctx: TaskContext, *, wanted: ReplayWanted) -> dict[str, int]:
    """Order again what did not succeed, oldest first, each task once.

    Safe to run twice: what was replayed is not replayed again.
    """
    replays = ctx.get(ReplayService)
    async with ctx.unit_of_work() as session:
        total = await replays.count(session, wanted, before=ctx.task_id)
    seen, replayed, last = 0, 0, FIRST
    while seen < wanted.limit:
        await ctx.progress(seen, of=total, unit="tasks", message="Ordering again")
        most = min(_AT_ONCE, wanted.limit - seen)
        async with ctx.unit_of_work() as session:
            lot = await replays.replay_lot(
                session, wanted, after=last, before=ctx.task_id, most=most
            )
        if lot.last is None:
            break
        seen, replayed, last = seen + lot.found, replayed + lot.replayed, lot.last
    await ctx.progress(seen, of=max(seen, total), unit="tasks")
    return {"replayed": replayed, "skipped": seen - replayed}
