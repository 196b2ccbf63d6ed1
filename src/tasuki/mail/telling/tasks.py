"""The tasks that follow what is told of."""

from datetime import timedelta
from uuid import UUID

from tasuki.mail.rights import admins_only
from tasuki.mail.telling.writing import EndMails
from tasuki.tasks import Retry, TaskContext, task


@task(
    "mail.tell",
    queue="email",
    lane="io",
    retry=Retry(tries=10, first=timedelta(seconds=10), cap=timedelta(minutes=10)),
    timeout=timedelta(minutes=1),
    allows=admins_only,
)
async def tell(
    ctx: TaskContext,
    *,
    task_id: UUID,
    to: str,
    template: str,
    link_base: str,
    values: dict[str, str],
) -> dict[str, str | None]:
    """Order the mail that tells an owner how their task has ended.

    Safe to run twice: there is one mail about each task. What it needs to know stands in the
    arguments, since workers do not know whose users there are, nor where the web is.

    Returns:
        ``mail_id``: the mail; null where there was nothing to tell.
    """
    async with ctx.unit_of_work() as session:
        mail_id = await ctx.get(EndMails).order(
            session,
            task_id,
            owner_id=ctx.owner_id,
            to=to,
            template=template,
            link_base=link_base,
            values=values,
        )
    return {"mail_id": None if mail_id is None else str(mail_id)}


@task(
    "mail.tell_batch",
    queue="email",
    lane="io",
    retry=Retry(tries=10, first=timedelta(seconds=10), cap=timedelta(minutes=10)),
    timeout=timedelta(minutes=1),
    allows=admins_only,
)
async def tell_batch(
    ctx: TaskContext,
    *,
    batch_id: UUID,
    to: str,
    template: str,
    link_base: str,
    values: dict[str, str],
) -> dict[str, str | None]:
    """Order the mail that tells an owner how all tasks of their batch have ended; see `tell`.

    Returns:
        ``mail_id``: the mail; null where there was nothing to tell.
    """
    async with ctx.unit_of_work() as session:
        mail_id = await ctx.get(EndMails).order_about_batch(
            session,
            batch_id,
            owner_id=ctx.owner_id,
            to=to,
            template=template,
            link_base=link_base,
            values=values,
        )
    return {"mail_id": None if mail_id is None else str(mail_id)}
