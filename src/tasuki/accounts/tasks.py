"""The work of accounts that runs in the background."""

from datetime import timedelta

from tasuki.accounts.limits import LoginLimits
from tasuki.accounts.sessions import SessionService
from tasuki.accounts.tickets import TicketService
from tasuki.tasks import Retry, TaskContext, task
from tasuki.tasks.schedules import CatchUp, Every, Schedule

_BATCH = 1000  # rows of one transaction: short locks, however much has piled up


@task(
    "accounts.cleanup_expired_sessions",
    queue="cleanup",
    lane="io",
    retry=Retry(tries=3),
    timeout=timedelta(minutes=10),
)
async def cleanup_expired_sessions(ctx: TaskContext) -> dict[str, int]:
    """Delete sessions that have ended, tickets, and counts of wrong sign-ins that are over.

    None of them is good for anything any more; this only gives their room back.

    Returns:
        ``deleted``: how many sessions.
    """
    sessions = ctx.get(SessionService)
    deleted, found = 0, _BATCH
    while found == _BATCH:
        async with ctx.unit_of_work() as session:
            found = await sessions.delete_ended(session, limit=_BATCH)
        deleted += found
        await ctx.progress(deleted, unit="sessions", message="Deleting ended sessions")
    limits, tickets = ctx.get(LoginLimits), ctx.get(TicketService)
    for delete_ended in (limits.delete_ended, tickets.delete_ended):
        found = _BATCH
        while found == _BATCH:
            async with ctx.unit_of_work() as session:
                found = await delete_ended(session, limit=_BATCH)
            await ctx.checkpoint()
    return {"deleted": deleted}


CLEANUP = Schedule(
    task=cleanup_expired_sessions, at=Every(timedelta(hours=1)), catch_up=CatchUp.LAST
)
"""Once an hour, and once after a time in which nothing ran."""
