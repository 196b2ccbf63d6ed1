"""Decides what may be recorded about a user, and counts it by day.

Knows nothing of HTTP and of accounts: a user is a number.
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tasuki.activity.records import Activity, DayCount
from tasuki.activity.repository import ActivityRepository
from tasuki.core.clock import Clock, utc_now
from tasuki.core.database import Session
from tasuki.core.errors import ValidationFailed
from tasuki.core.jsontext import why_not_kept

MAX_KIND = 64
"""Characters of a kind."""
MAX_DATA_BYTES = 16_384
"""Bytes of the data as JSON text."""

_CLOCKS_DIFFER = timedelta(minutes=1)
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


class ActivityService:
    """Records what users do: ``login``, ``post``, ``comment``, and any kind of one's own."""

    def __init__(
        self, *, clock: Clock = utc_now, repository: ActivityRepository | None = None
    ) -> None:
        self._clock = clock
        self._activity = repository or ActivityRepository()

    async def record(
        self,
        session: Session,
        *,
        user_id: int,
        kind: str,
        data: dict[str, Any] | None = None,
        at: datetime | None = None,
    ) -> Activity:
        """Write down one thing a user did, within the caller's transaction.

        Args:
            kind: 1 to 64 printable characters.
            data: Details, at most 16 KB as JSON.
            at: When it happened, aware; default: now. At most a minute ahead, since the
                clocks of two machines differ.

        Raises:
            ValidationFailed: One of them is not acceptable.
        """
        if not (0 < len(kind) <= MAX_KIND and kind.isprintable()):
            raise _invalid("kind", f"must be 1 to {MAX_KIND} printable characters")
        details = data or {}
        fault = why_not_kept(details, most_bytes=MAX_DATA_BYTES)
        if fault is not None:
            raise _invalid("data", fault)
        if at is not None:
            self._check_moment(at)
        return await self._activity.add(session, user_id=user_id, kind=kind, data=details, at=at)

    async def counts_by_day(
        self, session: Session, *, user_id: int, start: datetime, end: datetime, timezone: str
    ) -> list[DayCount]:
        """Count what one user did per calendar day and kind, oldest day first.

        A day without any activity has no entry.

        Args:
            start: First moment that counts, aware.
            end: First moment that does not, aware.
            timezone: Decides where a day begins, e.g. ``Asia/Tokyo``.

        Raises:
            ValidationFailed: There is no such timezone.
        """
        try:
            ZoneInfo(timezone)
        except (ValueError, OSError, LookupError) as exc:
            raise _invalid("timezone", f"unknown timezone {timezone!r}") from exc
        return await self._activity.counts_by_day(
            session, user_id=user_id, start=start, end=end, timezone=timezone
        )

    def _check_moment(self, at: datetime) -> None:
        if at.tzinfo is None:
            raise _invalid("at", "needs a UTC offset, e.g. 2026-01-31T09:00:00Z")
        if not _EARLIEST <= at <= self._clock() + _CLOCKS_DIFFER:
            raise _invalid("at", "must not be in the future, nor before 1970")


def _invalid(name: str, message: str) -> ValidationFailed:
    return ValidationFailed(f"{name}: {message}", errors=[{"loc": ["body", name], "msg": message}])
