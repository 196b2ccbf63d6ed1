"""The work of notifications that runs in the background."""

from datetime import timedelta

from tasuki.notifications.service import NotificationService
from tasuki.tasks import Retry, TaskContext, task
from tasuki.tasks.schedules import CatchUp, Every, Schedule

_BATCH = 1000  # rows of one transaction: short locks, however much has piled up


@task(
    "notifications.cleanup",
    queue="cleanup",
    lane="io",
    retry=Retry(tries=3),
    timeout=timedelta(minutes=10),
)
async def cleanup(ctx: TaskContext) -> dict[str, int]:
    """Delete notifications that are older than `TASUKI_NOTIFICATIONS__RETENTION_S`.

    Returns:
        ``deleted``: how many.
    """
    notifications = ctx.get(NotificationService)
    deleted, found = 0, _BATCH
    while found == _BATCH:
        async with ctx.unit_of_work() as session:
            found = await notifications.delete_old(session, limit=_BATCH)
        deleted += found
        await ctx.progress(deleted, unit="notifications", message="Deleting old notifications")
    return {"deleted": deleted}


CLEANUP = Schedule(task=cleanup, at=Every(timedelta(hours=1)), catch_up=CatchUp.LAST)
"""Once an hour, and once after a time in which nothing ran."""
