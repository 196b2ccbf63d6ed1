"""Decides what a report contains and what its file is called.

Knows nothing of HTTP, Celery or SQL: it is handed its numbers, its people, its renderer and
its clock.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol
from zoneinfo import ZoneInfo

from tasuki.activity import ActivityService, DayCount
from tasuki.core.clock import Clock, utc_now
from tasuki.core.database import Database, Session
from tasuki.reports.numbers import ActivityReport, Period
from tasuki.reports.rendering import ReportRenderer
from tasuki.reports.words import Language

STEPS = 4
"""How many steps `ReportService.user_activity` tells of."""

Tell = Callable[[int, str], Awaitable[None]]
"""Takes how many steps are done, and what is done now."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """Whose report it is."""

    username: str
    name: str = ""


class People(Protocol):
    """Knows people by their number; accounts do, or the application Tasuki is installed in."""

    async def person(self, session: Session, user_id: int) -> Person:
        """Return a person.

        Raises:
            UserNotFound: There is nobody with this number.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportFile:
    """A finished report."""

    name: str
    content: bytes


class ReportService:
    """Builds reports."""

    def __init__(
        self,
        *,
        database: Database,
        activity: ActivityService,
        people: People,
        renderer: ReportRenderer,
        now: Clock = utc_now,
    ) -> None:
        self._database = database
        self._activity = activity
        self._people = people
        self._renderer = renderer
        self._now = now

    async def user_activity(
        self, user_id: int, *, days: int, timezone: ZoneInfo, language: Language, tell: Tell
    ) -> ReportFile:
        """Build the activity report of one user over the last days.

        The period ends now; the day that is still running is shown as such, so that nobody
        takes half a day for a quiet one.

        Args:
            days: Length of the period in calendar days, 1 to 366.
            timezone: Decides where a day begins.
            tell: Told before each step.

        Raises:
            UserNotFound: There is no such user.
        """
        period = Period.last(days, now=self._now(), timezone=timezone)
        async with self._database.unit_of_work() as session:
            await tell(0, "Finding the user")
            person = await self._people.person(session, user_id)
            await tell(1, f"Counting {days} days")
            rows = await self._count(session, user_id, period)
            await tell(2, "Counting the period before")
            rows_before = await self._count(session, user_id, period.before())
        report = ActivityReport.of(
            rows,
            rows_before,
            period=period,
            username=person.username,
            display_name=person.name,
        )
        await tell(3, "Drawing the pages")
        content = await asyncio.to_thread(self._renderer.render, report, language=language)
        name = f"activity-{person.username}-{period.last_day:%Y-%m-%d}.pdf"
        return ReportFile(name=name, content=content)

    async def _count(self, session: Session, user_id: int, period: Period) -> list[DayCount]:
        return await self._activity.counts_by_day(
            session,
            user_id=user_id,
            start=period.start,
            end=period.end,
            timezone=period.timezone.key,
        )
