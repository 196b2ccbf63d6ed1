"""Sendings as background work."""

from datetime import timedelta
from uuid import UUID

from tasuki.mail.rights import admins_only
from tasuki.mail.sendings.runs import ChunkRunner
from tasuki.tasks import Retry, TaskContext, task


@task(
    "mail.send_bulk",
    queue="email",
    lane="io",
    retry=Retry(tries=1_000, first=timedelta(seconds=2), cap=timedelta(minutes=5)),
    allows=admins_only,
)
async def send_bulk(ctx: TaskContext, *, batch_id: UUID, chunk: int) -> dict[str, int]:
    """Hand over a sending's messages of one chunk; give its place away every few seconds.

    Safe to run twice: each message has its own state.

    Returns:
        How many were ``sent``, ``failed``, ``suppressed``, ``unknown``, ``cancelled``.
    """
    return await ctx.get(ChunkRunner).run(ctx, batch_id, chunk)
