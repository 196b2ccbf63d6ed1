"""Decides the numbers of an activity report: which days, which totals, which comparison.

Knows nothing of SQL, PDF or languages. It is handed counted rows and a period and
answers with frozen values, so every rule here can be tried with a list of tuples.

Three rules carry the rest:

* Days are calendar days of one timezone. A day has 23 or 25 hours when the clocks
  change; its bounds are instants in UTC.
* The last day of a period is still running. It ends now, not at midnight.
* The period before is just as incomplete: the same number of days right before, the
  last of them cut off at the same wall-clock time. Comparing seven days with six and a
  half would always look like growth.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

__all__ = [
    "LEADING_KINDS",
    "LONGEST_PERIOD_DAYS",
    "STANDARD_KINDS",
    "ActivityReport",
    "Comparison",
    "CountedRow",
    "KindTotal",
    "Period",
    "Series",
    "WeekdayTotal",
]

LONGEST_PERIOD_DAYS = 366
"""A leap year; more days than that no longer tell apart in a chart of one page."""

STANDARD_KINDS = ("login", "post", "comment")
"""Kinds that every report shows, also with nothing recorded, in this order."""

LEADING_KINDS = 6
"""Most series a chart shows; more colours than that are no longer told apart."""

CountedRow = tuple[date, str, int]
"""A local day, a kind, and how often it was recorded on that day."""


@dataclass(frozen=True, slots=True)
class Period:
    """Whole local days up to one instant of the last of them.

    Attributes:
        first_day: First local calendar day.
        last_day: Last local calendar day; cut off at `end`.
        start: First instant of `first_day`, in UTC, included.
        end: The instant that ends the period, in UTC, excluded.
        timezone: Whose calendar days these are.
    """

    first_day: date
    last_day: date
    start: datetime
    end: datetime
    timezone: ZoneInfo

    @classmethod
    def last(cls, days: int, *, now: datetime, timezone: ZoneInfo) -> Period:
        """Return the last local days up to now; the running day is the last of them.

        Args:
            days: Number of calendar days, 1 (only today) to `LONGEST_PERIOD_DAYS`.
            now: Any aware datetime; ends the period.
            timezone: Decides where a day begins.

        Raises:
            ValueError: `days` is out of range, or `now` has no timezone.
        """
        if not 1 <= days <= LONGEST_PERIOD_DAYS:
            msg = f"a report covers 1 to {LONGEST_PERIOD_DAYS} days, not {days}"
            raise ValueError(msg)
        if now.tzinfo is None:
            msg = "the end of a period needs a timezone: got a naive datetime"
            raise ValueError(msg)
        last_day = now.astimezone(timezone).date()
        first_day = last_day - timedelta(days=days - 1)
        start = _instant(first_day, time.min, timezone)
        return cls(first_day, last_day, start, now.astimezone(UTC), timezone)

    def before(self) -> Period:
        """Return the period this one is compared with.

        As many local days, right before the first day of this one. Its last day ends at
        the same wall-clock time as this period, so both end with an equal part of a day;
        what happened later on that day counts in neither. A wall-clock time that the
        clocks skip that day is taken an hour later, one they repeat is its first pass.
        """
        shift = timedelta(days=self.days)
        first_day, last_day = self.first_day - shift, self.last_day - shift
        wall_clock = self.end.astimezone(self.timezone).time()
        return Period(
            first_day,
            last_day,
            _instant(first_day, time.min, self.timezone),
            _instant(last_day, wall_clock, self.timezone),
            self.timezone,
        )

    @property
    def days(self) -> int:
        """Number of calendar days, the running one included."""
        return (self.last_day - self.first_day).days + 1

    @property
    def local_end(self) -> datetime:
        """The end as the wall clock of the timezone shows it."""
        return self.end.astimezone(self.timezone)

    def calendar(self) -> tuple[date, ...]:
        """List the days from first to last, without a gap."""
        return tuple(self.first_day + timedelta(days=n) for n in range(self.days))

    def position(self, day: date) -> int:
        """Return the place of a counted day in `calendar()`.

        The rows were cut by instants and grouped by a database whose timezone rules may
        be of another edition than ours. A row may therefore carry the day next to the
        edge; it is counted on the edge rather than lost.

        Raises:
            ValueError: The day is further away; the rows belong to another period.
        """
        place = (day - self.first_day).days
        if not -1 <= place <= self.days:
            msg = f"{day} is not in the period {self.first_day} to {self.last_day}"
            raise ValueError(msg)
        return min(max(place, 0), self.days - 1)


def _instant(day: date, wall_clock: time, timezone: ZoneInfo) -> datetime:
    """Return the UTC instant of a local wall-clock time, the first where it occurs twice.

    With fold=0 a time that the clocks skip is read with the offset before the change.
    For a skipped midnight this is the very instant of the change: the day's first.
    """
    return datetime.combine(day, wall_clock.replace(fold=0), tzinfo=timezone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A count beside the count of the period before."""

    count: int
    before: int

    @property
    def difference(self) -> int:
        """How many more than before; negative for fewer."""
        return self.count - self.before

    @property
    def percent(self) -> float | None:
        """The difference in percent of before; None where there is nothing to divide by."""
        return 100 * self.difference / self.before if self.before else None

    @property
    def is_new(self) -> bool:
        """Whether something is counted now and nothing was before."""
        return self.before == 0 and self.count > 0


@dataclass(frozen=True, slots=True)
class KindTotal(Comparison):
    """The comparison of one kind. The kind is text of a user and may be anything."""

    kind: str


@dataclass(frozen=True, slots=True)
class Series:
    """Counts by day, one for each day of the report.

    Attributes:
        kind: The kind counted, or None for all kinds folded into "other".
        counts: In the order of `ActivityReport.days`.
    """

    kind: str | None
    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        """Sum over all days."""
        return sum(self.counts)


@dataclass(frozen=True, slots=True)
class WeekdayTotal:
    """Counts of one weekday.

    Attributes:
        weekday: 0 for Monday to 6 for Sunday, as `date.weekday()`.
        days: How often the weekday occurs in the period, the running day included.
        counts: One for each of `ActivityReport.series`, in that order.
    """

    weekday: int
    days: int
    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        """Sum over all series."""
        return sum(self.counts)

    @property
    def average(self) -> float:
        """Count per day; 0 where the weekday does not occur."""
        return self.total / self.days if self.days else 0.0


@dataclass(frozen=True, slots=True)
class ActivityReport:
    """Everything an activity report says, before anyone chose words or colours.

    Attributes:
        username: Whose activity; also shown where a display name is missing.
        display_name: May be empty.
        period: What is reported; its end is also when the report was made.
        total: All kinds together.
        kinds: Standard kinds first, then the project's own, largest first.
        days: Every day of the period; the last is the running day.
        series: The largest kinds by day, in the order of `kinds`; where there are more
            than `LEADING_KINDS` the smaller ones are folded into a last series without
            a kind. Sums up to `total.count`.
        weekdays: Monday to Sunday, always seven.
        busiest: Day and count of the largest day, the earliest of equals; None where
            nothing is recorded.
    """

    username: str
    display_name: str
    period: Period
    total: Comparison
    kinds: tuple[KindTotal, ...]
    days: tuple[date, ...]
    series: tuple[Series, ...]
    weekdays: tuple[WeekdayTotal, ...]
    busiest: tuple[date, int] | None

    @property
    def running_day(self) -> date:
        """The day that is not over yet: its count is no sign of a quiet day."""
        return self.period.last_day

    @property
    def generated_at(self) -> datetime:
        """When the report was made, in UTC: the end of its period."""
        return self.period.end

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all is recorded in the period."""
        return self.total.count == 0

    @classmethod
    def of(
        cls,
        rows: Iterable[CountedRow],
        rows_before: Iterable[CountedRow],
        *,
        period: Period,
        username: str,
        display_name: str = "",
    ) -> ActivityReport:
        """Work the report out from counted rows.

        Args:
            rows: Counts of `period`; several rows of one day and kind are added up.
            rows_before: Counts of `period.before()`.
            period: Usually `Period.last(…)`.
            username: Shown as is.
            display_name: Shown as is, beside the username.

        Raises:
            ValueError: A row lies outside its period, or counts below zero.
        """
        by_kind = _by_day(rows, period)
        by_kind_before = _by_day(rows_before, period.before())
        before = {kind: sum(counts) for kind, counts in by_kind_before.items()}
        kinds = _kind_totals(by_kind, before)
        days = period.calendar()
        series = _leading(kinds, by_kind, len(days))
        by_day = [sum(one.counts[place] for one in series) for place in range(len(days))]
        top = max(by_day)
        return cls(
            username=username,
            display_name=display_name,
            period=period,
            total=Comparison(sum(by_day), sum(before.values())),
            kinds=kinds,
            days=days,
            series=series,
            weekdays=_weekdays(days, series),
            busiest=(days[by_day.index(top)], top) if top else None,
        )


def _by_day(rows: Iterable[CountedRow], period: Period) -> dict[str, list[int]]:
    by_kind: dict[str, list[int]] = {}
    for day, kind, count in rows:
        if count < 0:
            msg = f"a count cannot be below zero: {count} of {kind!r} on {day}"
            raise ValueError(msg)
        counts = by_kind.setdefault(kind, [0] * period.days)
        counts[period.position(day)] += count
    return by_kind


def _kind_totals(
    by_kind: Mapping[str, Sequence[int]], before: Mapping[str, int]
) -> tuple[KindTotal, ...]:
    own = (by_kind.keys() | before.keys()) - set(STANDARD_KINDS)
    totals = {kind: sum(by_kind.get(kind, ())) for kind in (*STANDARD_KINDS, *own)}
    order = [*STANDARD_KINDS, *sorted(own, key=lambda k: (-totals[k], -before.get(k, 0), k))]
    return tuple(KindTotal(totals[kind], before.get(kind, 0), kind) for kind in order)


def _leading(
    kinds: Sequence[KindTotal], by_kind: Mapping[str, Sequence[int]], days: int
) -> tuple[Series, ...]:
    """Keep the largest kinds that occurred and fold the rest; "other" is never one kind."""
    occurred = [one for one in kinds if one.count]
    if len(occurred) <= LEADING_KINDS:
        return tuple(Series(one.kind, tuple(by_kind[one.kind])) for one in occurred)
    largest = sorted(occurred, key=lambda one: -one.count)[: LEADING_KINDS - 1]
    kept = {one.kind for one in largest}
    rest = [0] * days
    for one in occurred:
        if one.kind not in kept:
            rest = [a + b for a, b in zip(rest, by_kind[one.kind], strict=True)]
    leading = [Series(one.kind, tuple(by_kind[one.kind])) for one in occurred if one.kind in kept]
    return (*leading, Series(None, tuple(rest)))


def _weekdays(days: Sequence[date], series: Sequence[Series]) -> tuple[WeekdayTotal, ...]:
    occurs = Counter(day.weekday() for day in days)
    rows = []
    for weekday in range(7):
        places = [place for place, day in enumerate(days) if day.weekday() == weekday]
        counts = tuple(sum(one.counts[place] for place in places) for one in series)
        rows.append(WeekdayTotal(weekday, occurs[weekday], counts))
    return tuple(rows)
