"""Which days a report covers, and what it adds up."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasuki.reports.numbers import (
    LEADING_KINDS,
    LONGEST_PERIOD_DAYS,
    STANDARD_KINDS,
    ActivityReport,
    CountedRow,
    Period,
)

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
WEEK = Period.last(7, now=NOON, timezone=BERLIN)

# Zones that skip midnight, sit at the edges of the day, move by half an hour or lost a day.
ZONES = [
    ZoneInfo(name)
    for name in (
        "UTC",
        "Asia/Tokyo",
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        "America/Sao_Paulo",
        "Africa/Cairo",
        "Atlantic/Azores",
        "America/Havana",
        "Asia/Kathmandu",
        "Pacific/Kiritimati",
        "Pacific/Pago_Pago",
        "Pacific/Apia",
    )
]
moments = st.datetimes(
    min_value=datetime(2003, 1, 1),  # noqa: DTZ001  hypothesis wants naive bounds
    max_value=datetime(2036, 1, 1),  # noqa: DTZ001  and adds the timezone itself
    timezones=st.just(UTC),
)
periods = st.builds(
    lambda days, now, timezone: Period.last(days, now=now, timezone=timezone),
    st.integers(1, LONGEST_PERIOD_DAYS),
    moments,
    st.sampled_from(ZONES),
)


def report(
    rows: list[CountedRow], before: list[CountedRow] | None = None, *, period: Period = WEEK
) -> ActivityReport:
    return ActivityReport.of(rows, before or [], period=period, username="taro")


@st.composite
def counted(draw: st.DrawFn) -> tuple[Period, list[CountedRow], list[CountedRow]]:
    """A period with rows in it and in the one before."""
    period = draw(periods)
    kinds = st.sampled_from([*STANDARD_KINDS, *(f"own.{n}" for n in range(9))])

    def rows(within: Period) -> st.SearchStrategy[list[CountedRow]]:
        days = st.integers(0, within.days - 1).map(lambda n: within.first_day + timedelta(days=n))
        return st.lists(st.tuples(days, kinds, st.integers(0, 10**9)), max_size=30)

    return period, draw(rows(period)), draw(rows(period.before()))


def test_the_period_is_whole_local_days_up_to_now() -> None:
    """Seven days are today and the six before it, from midnight where the user lives."""
    assert (WEEK.first_day, WEEK.last_day) == (date(2026, 11, 18), date(2026, 11, 24))
    assert WEEK.start == datetime(2026, 11, 17, 23, 0, tzinfo=UTC)
    assert WEEK.end == NOON
    assert len(WEEK.calendar()) == WEEK.days == 7


def test_another_timezone_has_another_today() -> None:
    """Late in the evening of UTC it is tomorrow in Tokyo, and the report says so."""
    late = datetime(2026, 11, 24, 20, 0, tzinfo=UTC)

    tokyo = Period.last(1, now=late, timezone=ZoneInfo("Asia/Tokyo"))
    honolulu = Period.last(1, now=late, timezone=ZoneInfo("Pacific/Honolulu"))

    assert tokyo.last_day == date(2026, 11, 25)
    assert honolulu.last_day == date(2026, 11, 24)


@pytest.mark.parametrize(
    ("now", "hours"),
    [
        (datetime(2026, 3, 30, 0, 0, tzinfo=BERLIN), 23),
        (datetime(2026, 10, 26, 0, 0, tzinfo=BERLIN), 25),
        (datetime(2026, 11, 24, 0, 0, tzinfo=BERLIN), 24),
    ],
)
def test_a_day_is_as_long_as_the_clocks_make_it(now: datetime, hours: int) -> None:
    """When the clocks change, yesterday had 23 or 25 hours; all of them are counted."""
    period = Period.last(2, now=now, timezone=BERLIN)

    assert period.end - period.start == timedelta(hours=hours)


def test_a_day_without_midnight_starts_at_its_first_instant() -> None:
    """In Cairo a day of April begins at 01:00; an event at 01:00 is on that day."""
    cairo = ZoneInfo("Africa/Cairo")
    now = datetime(2024, 4, 26, 12, 0, tzinfo=cairo)

    period = Period.last(1, now=now, timezone=cairo)

    assert period.start.astimezone(cairo).hour == 1
    assert (period.start - timedelta(seconds=1)).astimezone(cairo).date() == date(2024, 4, 25)


def test_the_period_before_is_cut_off_at_the_same_time_of_day() -> None:
    """At noon a running day has half its activity; so must the day it is compared with."""
    before = WEEK.before()

    assert (before.first_day, before.last_day) == (date(2026, 11, 11), date(2026, 11, 17))
    assert before.local_end.time() == WEEK.local_end.time()
    assert before.days == WEEK.days


def test_the_same_time_of_day_is_kept_over_a_clock_change() -> None:
    """Nine o'clock is nine o'clock in summer and in winter, 23 hours apart or not."""
    now = datetime(2026, 3, 29, 9, 0, tzinfo=BERLIN)

    before = Period.last(1, now=now, timezone=BERLIN).before()

    assert before.local_end == datetime(2026, 3, 28, 9, 0, tzinfo=BERLIN)
    assert now.astimezone(UTC) - before.end == timedelta(hours=23)


@given(periods)
def test_periods_are_in_order_and_start_on_their_first_day(period: Period) -> None:
    """Whatever the zone did to its clocks, no event is in both periods or on a wrong day."""
    before = period.before()

    assert before.start <= before.end <= period.start <= period.end
    assert before.first_day + timedelta(days=period.days) == period.first_day
    for one in (period, before):
        in_calendar = one.start.astimezone(one.timezone).date()
        # Samoa had no 30 December 2011: that day is empty and ends where the next begins
        assert in_calendar == one.first_day or one.first_day == date(2011, 12, 30)


@pytest.mark.parametrize("days", [0, -1, LONGEST_PERIOD_DAYS + 1])
def test_a_period_of_unreasonable_length_is_refused(days: int) -> None:
    """The bound is checked where the period is made, whoever asks."""
    with pytest.raises(ValueError, match="1 to 366 days"):
        Period.last(days, now=NOON, timezone=BERLIN)


def test_a_moment_without_a_timezone_is_refused() -> None:
    """A naive now would silently be read as the machine's local time."""
    with pytest.raises(ValueError, match="naive"):
        Period.last(7, now=NOON.replace(tzinfo=None), timezone=BERLIN)


@given(counted())
def test_every_view_of_a_report_adds_up_to_its_total(
    given_rows: tuple[Period, list[CountedRow], list[CountedRow]],
) -> None:
    """Totals, days, weekdays and kinds are four views of the same events."""
    period, rows, before = given_rows

    made = report(rows, before, period=period)

    expected = sum(count for _, _, count in rows)
    assert made.total.count == expected
    assert sum(one.count for one in made.kinds) == expected
    assert sum(one.total for one in made.series) == expected
    assert sum(one.total for one in made.weekdays) == expected
    assert sum(one.days for one in made.weekdays) == period.days == len(made.days)
    assert made.total.before == sum(one.before for one in made.kinds)
    assert made.total.before == sum(count for _, _, count in before)
    assert len(made.series) <= LEADING_KINDS
    assert made.is_empty == (made.busiest is None)


def test_the_three_standard_kinds_are_always_listed() -> None:
    """A row that vanishes when it is zero looks like a missing feature."""
    assert [one.kind for one in report([]).kinds] == list(STANDARD_KINDS)


def test_own_kinds_follow_the_standard_ones_largest_first() -> None:
    """Also a kind that only the period before knows is listed: its end is news."""
    day = WEEK.last_day
    made = report(
        [(day, "small", 1), (day, "login", 2), (day, "large", 9)],
        [(day - timedelta(days=7), "gone", 5)],
    )

    assert [one.kind for one in made.kinds] == [*STANDARD_KINDS, "large", "small", "gone"]
    assert (made.kinds[-1].count, made.kinds[-1].percent) == (0, -100.0)


def test_a_change_from_zero_is_new_and_has_no_percent() -> None:
    """Nothing can be divided by zero, and "+∞%" says less than "new"."""
    made = report([(WEEK.last_day, "login", 3)])
    login, post, _ = made.kinds

    assert (login.is_new, login.percent, login.difference) == (True, None, 3)
    assert (post.is_new, post.percent, post.difference) == (False, None, 0)


def test_small_kinds_are_folded_into_a_last_series() -> None:
    """A chart of forty colours tells nothing; the rest stays in the sum."""
    made = report([(WEEK.last_day, f"k{n}", 100 - n) for n in range(40)])

    assert [one.kind for one in made.series] == ["k0", "k1", "k2", "k3", "k4", None]
    assert made.series[-1].total == sum(100 - n for n in range(5, 40))


def test_a_single_leftover_kind_keeps_its_name() -> None:
    """One kind called "other" would only hide which one it is."""
    made = report([(WEEK.last_day, f"k{n}", 1) for n in range(LEADING_KINDS)])

    assert None not in [one.kind for one in made.series]


def test_the_running_day_is_the_last_of_the_report() -> None:
    """Whoever draws the report must be able to mark it."""
    made = report([])

    assert made.running_day == made.days[-1] == date(2026, 11, 24)
    assert made.generated_at == NOON


def test_the_busiest_day_is_the_earliest_of_equals() -> None:
    """One day, always the same for the same numbers."""
    days = WEEK.calendar()

    assert report([(days[4], "post", 2), (days[2], "login", 2)]).busiest == (days[2], 2)


def test_a_weekday_is_averaged_over_how_often_it_occurs() -> None:
    """In ten days some weekdays occur twice: their sums alone would mislead."""
    period = Period.last(10, now=NOON, timezone=BERLIN)  # Sunday to Tuesday
    made = report([(day, "login", 4) for day in period.calendar()], period=period)

    assert [one.days for one in made.weekdays] == [2, 2, 1, 1, 1, 1, 2]
    assert {one.average for one in made.weekdays} == {4.0}


def test_a_row_next_to_the_edge_is_counted_on_the_edge() -> None:
    """The database may know newer timezone rules than we do; its events are not lost."""
    made = report([(WEEK.first_day - timedelta(days=1), "login", 1)])

    assert made.busiest == (WEEK.first_day, 1)


def test_rows_of_another_period_are_refused() -> None:
    """A mixed-up query must fail instead of drawing a wrong report."""
    with pytest.raises(ValueError, match="not in the period"):
        report([(WEEK.first_day - timedelta(days=2), "login", 1)])
    with pytest.raises(ValueError, match="below zero"):
        report([(WEEK.first_day, "login", -1)])
