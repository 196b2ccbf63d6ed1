"""Exports as background work: the same rows, in a file that stays."""

from datetime import timedelta

from tasuki.core.datasets import Datasets
from tasuki.core.errors import NotFound
from tasuki.exports.cleaner import ExportCleaner
from tasuki.exports.copying import ExportSource
from tasuki.exports.forms import Form, Format, Profile
from tasuki.exports.query import read_query
from tasuki.tasks import Artifact, Retry, TaskContext, task
from tasuki.tasks.schedules import CatchUp, Every, Schedule

_BATCH = 200


@task(
    "exports.run",
    queue="reports",
    lane="io",
    retry=Retry(tries=3, first=timedelta(seconds=10)),
    timeout=timedelta(minutes=30),
    # Whose rows it takes stands in the arguments, so only our own route orders it.
    allows=lambda _user_id, _args: False,
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

    Safe to run twice: the later file replaces the earlier.
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
    await cleaner.delete_strays()
    return {"deleted": deleted}


CLEANUP = Schedule(task=cleanup, at=Every(timedelta(minutes=5)), catch_up=CatchUp.LAST)
"""Every five minutes, and once after a time in which nothing ran."""
