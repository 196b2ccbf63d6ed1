"""The work of mail that runs in the background."""

from datetime import timedelta
from uuid import UUID

from tasuki.mail.handing.repository import HandingRepository
from tasuki.mail.handing.sender import Sender
from tasuki.mail.rights import admins_only
from tasuki.mail.sendings.runs import ChunkRunner
from tasuki.tasks import Retry, TaskContext, task
from tasuki.tasks.schedules import CatchUp, Every, Schedule

_BATCH = 1_000  # rows of one transaction: short locks, however much has piled up


@task(
    "mail.send",
    queue="email",
    lane="io",
    # The deadline of the message ends it, and what went wrong says when to try again.
    retry=Retry(tries=10_000, first=timedelta(minutes=1), cap=timedelta(minutes=5)),
    timeout=timedelta(minutes=10),
    allows=admins_only,
)
async def send(ctx: TaskContext, *, mail_id: UUID) -> dict[str, str]:
    """Hand one message to the mail system.

    Safe to run twice: what was taken is not sent again, and of what may have been taken the
    message's own rule decides.

    Returns:
        ``answer``: what the mail system said.
    """
    answer = await ctx.get(Sender).send(mail_id, task_id=ctx.task_id)
    return {"answer": answer}


@task(
    "mail.cleanup",
    queue="cleanup",
    lane="io",
    retry=Retry(tries=3),
    timeout=timedelta(minutes=10),
)
async def cleanup(ctx: TaskContext) -> dict[str, int]:
    """End messages whose task is over without them, and forget those whose retention is over.

    Returns:
        ``deleted``: how many were forgotten.
    """
    repository = ctx.get(HandingRepository)
    await ctx.get(ChunkRunner).end_orphans()
    deleted, found = 0, _BATCH
    while found == _BATCH:
        found = await repository.purge(most=_BATCH)
        deleted += found
        await ctx.progress(deleted, unit="mails", message="Deleting old mails")
    return {"deleted": deleted}


CLEANUP = Schedule(task=cleanup, at=Every(timedelta(minutes=1)), catch_up=CatchUp.LAST)
"""Once a minute: a sending whose worker was lost for good must not look unfinished for long."""
