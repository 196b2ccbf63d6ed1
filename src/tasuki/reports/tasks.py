"""Reports as background work."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from tasuki.reports.numbers import LONGEST_PERIOD_DAYS
from tasuki.reports.schemas import TimezoneName, zone
from tasuki.reports.service import STEPS, ReportService
from tasuki.tasks import Artifact, Retry, TaskContext, task


@task(
    "reports.user_activity",
    queue="reports",
    lane="cpu",
    retry=Retry(tries=3, first=timedelta(seconds=30)),
    timeout=timedelta(minutes=5),
    allows=lambda user_id, args: bool(args["user_id"] == user_id),
)
async def user_activity(
    ctx: TaskContext,
    *,
    user_id: int,
    days: Annotated[int, Field(ge=1, le=LONGEST_PERIOD_DAYS)] = 30,
    timezone: TimezoneName = "UTC",
    language: Literal["en", "ja"] = "en",
) -> Artifact:
    """Build one user's activity report as a PDF.

    Safe to run twice: the later file replaces the earlier.
    """

    async def tell(done: int, message: str) -> None:
        await ctx.progress(done, of=STEPS, unit="steps", message=message)

    report = await ctx.get(ReportService).user_activity(
        user_id, days=days, timezone=zone(timezone), language=language, tell=tell
    )
    async with ctx.artifact(report.name, "application/pdf") as file:
        await file.write(report.content)
    await ctx.progress(STEPS, of=STEPS, unit="steps", message="Done")
    return file.artifact
