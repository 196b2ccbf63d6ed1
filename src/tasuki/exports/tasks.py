"""Exports as background work: the same rows, in a file that stays."""

from datetime import timedelta
from typing import Protocol

from tasuki.core.database import Session
from tasuki.core.datasets import Datasets
from tasuki.core.errors import Forbidden, NotFound
from tasuki.exports.cleaner import ExportCleaner
from tasuki.exports.copying import ExportSource
from tasuki.exports.forms import Form, Format, Profile
from tasuki.exports.query import ExportQuery, read_query
from tasuki.exports.service import said_of, sees_all
from tasuki.tasks import Artifact, Retry, TaskContext, TaskService, task
from tasuki.tasks.schedules import CatchUp, Every, Schedule
from tasuki.web.audit import Auditor
from tasuki.web.principal import Principal

_BATCH = 200


class Rights(Protocol):
    """Knows what users may do; wiring hands the implementation in."""

    async def principal(self, session: Session, user_id: int) -> Principal | None:
        """Return who a user is at this moment; none: users of the application, not known here.

        Raises:
            Forbidden: They may do nothing any more.
        """
        ...


@task(
    "exports.run",
    queue="reports",
    lane="io",
    retry=Retry(tries=3, first=timedelta(seconds=10)),
    timeout=timedelta(minutes=30),
    # All rows are for our own route to give: by name, or again, one's own only.
    allows=lambda user_id, args: bool(args["rows_of"] == user_id),
)
async def run_export(
    ctx: TaskContext,
    *,
    dataset: str,
    rows_of: int | None,
    format: Format = "csv",  # noqa: A002  # what it is called everywhere
    profile: Profile = "data",
    columns: list[str] | None = None,
    sort: list[str] | None = None,
    filters: dict[str, list[str]] | None = None,
    limit: int | None = None,
    filename: str | None = None,
) -> Artifact:
    """Export rows into a file.

    Safe to run twice: the later file replaces the earlier. Rights may have been taken away since
    it was ordered, so it asks for them again.
    """
    declared = ctx.get(Datasets).by_name.get(dataset)
    if declared is None:
        raise NotFound(f"There is no dataset {dataset!r} here.")
    query = read_query(
        declared,
        columns=columns or (),
        sort=sort or (),
        filters=filters or {},
        limit=limit,
        owner_id=rows_of,
    )
    form = Form(format=format, profile=profile)
    await _admit(ctx, query)
    async with ctx.get(ExportSource).open(at_once=1) as copier:
        total = await copier.count(query)

        async def tell(rows: int) -> None:
            await ctx.progress(min(rows, total), of=total, unit="rows", message="Exporting")

        await tell(0)
        name = form.file_name(filename or dataset)
        async with ctx.artifact(name, form.media_type) as file:
            rows = await copier.copy(query, form, file.write, tell=tell)
    await ctx.progress(rows, of=rows, unit="rows", message="Done")
    return file.artifact


async def _admit(ctx: TaskContext, query: ExportQuery) -> None:
    """Have rows of others taken only by who may at this moment, and write it down."""
    owner_id = ctx.owner_id
    if owner_id is None or query.owner_id == owner_id:
        return
    async with ctx.unit_of_work() as session:
        owner = await ctx.get(Rights).principal(session, owner_id)
        if owner is None and await _is_replay(ctx, session):
            raise Forbidden("Nobody can say here whether you still may; order it anew.")
        if owner is not None and not sees_all(owner, query.dataset):
            raise Forbidden(f"Exporting all of {query.dataset.name} is no longer for you.")
        who = owner or Principal(id=owner_id, username=f"user-{owner_id}")
        await ctx.get(Auditor).note(session, who, "export", said_of(query))


async def _is_replay(ctx: TaskContext, session: Session) -> bool:
    record = await ctx.get(TaskService).get(session, ctx.task_id, owner_id=None)
    return record.replay_of is not None


@task(
    "exports.cleanup",
    queue="cleanup",
    lane="io",
    retry=Retry(tries=3),
    timeout=timedelta(minutes=10),
)
async def cleanup(ctx: TaskContext) -> dict[str, int]:
    """Delete exports whose time is over, and files that nobody knows of.

    Returns:
        ``deleted``: how many exports.
    """
    cleaner = ctx.get(ExportCleaner)
    deleted, found = 0, _BATCH
    while found == _BATCH:
        async with ctx.unit_of_work() as session:
            found = await cleaner.delete_expired(session, limit=_BATCH)
        deleted += found
        await ctx.progress(deleted, unit="exports", message="Deleting expired exports")
    async with ctx.unit_of_work() as session:
        await cleaner.delete_lost(session)
    await cleaner.delete_strays()
    return {"deleted": deleted}


CLEANUP = Schedule(task=cleanup, at=Every(timedelta(minutes=5)), catch_up=CatchUp.LAST)
"""Every five minutes, and once after a time in which nothing ran."""
