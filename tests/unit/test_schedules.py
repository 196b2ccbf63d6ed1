"""Which slots a schedule has, and which of them are due."""

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from support import jobs
from tasuki.core.errors import ValidationFailed
from tasuki.tasks.schedules import CatchUp, Cron, Every, Schedule

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def due(schedule: Schedule, *, last: datetime, now: datetime) -> list[str]:
    """Return the due slots by their time of day."""
    return [f"{slot:%H:%M:%S}" for slot in schedule.due(last, now)]


def test_slots_of_an_interval_are_the_same_for_everyone() -> None:
    """They are counted from 1970, not from when a process began."""
    every = Every(timedelta(minutes=20))

    slots = [list(islice(every.after(NOON + timedelta(seconds=s)), 2)) for s in (0, 1, 1199)]

    assert slots == [[NOON + timedelta(minutes=20), NOON + timedelta(minutes=40)]] * 3


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(hours=1), "every hour"),
        (timedelta(minutes=90), "every 90 minutes"),
        (timedelta(days=14), "every 2 weeks"),
        (timedelta(seconds=2.5), "every 2.5 seconds"),
    ],
)
def test_an_interval_is_told_in_words(span: timedelta, words: str) -> None:
    """Operators read it, and need not count seconds."""
    assert str(Every(span)) == words


def test_cron_speaks_the_time_of_its_place() -> None:
    """Half past eight in Tokyo is half past eleven at night in UTC."""
    cron = Cron("30 8 * * MON-FRI", timezone="Asia/Tokyo")

    slots = list(islice(cron.after(NOON), 4))

    assert [f"{slot:%a %d %H:%M}" for slot in slots] == [
        "Tue 24 23:30",
        "Wed 25 23:30",
        "Thu 26 23:30",
        "Sun 29 23:30",
    ]
    assert str(cron) == "At 08:30 on Monday through Friday (Asia/Tokyo)"


def test_a_skipped_hour_is_made_up_and_a_doubled_one_runs_once() -> None:
    """A job of the night in which clocks change runs once."""
    cron = Cron("30 2 * * *", timezone="Europe/Berlin")

    spring = list(islice(cron.after(datetime(2026, 3, 28, 12, tzinfo=UTC)), 2))
    autumn = list(islice(cron.after(datetime(2026, 10, 24, 12, tzinfo=UTC)), 2))

    assert len({slot.date() for slot in spring}) == 2
    assert len({slot.date() for slot in autumn}) == 2


@pytest.mark.parametrize(
    "make",
    [
        lambda: Cron("61 * * * *"),
        lambda: Cron("* * *"),
        lambda: Cron("* * * * *", timezone="Nowhere/Land"),
        lambda: Every(timedelta(milliseconds=10)),
    ],
)
def test_what_cannot_be_meant_is_refused_when_it_is_declared(make: object) -> None:
    """A typo is found at the start, not at three in the morning."""
    assert callable(make)
    with pytest.raises(ValueError, match=r"cron|span"):
        make()


def test_arguments_are_checked_when_it_is_declared() -> None:
    """An order that could never be taken is no schedule."""
    with pytest.raises(ValidationFailed, match="textt"):
        Schedule(task=jobs.echo, at=Every(timedelta(hours=1)), args={"textt": "x"})


@pytest.mark.parametrize(
    ("catch_up", "expected"),
    [
        (CatchUp.SKIP, []),
        (CatchUp.LAST, ["12:00:00"]),
        (CatchUp.ALL, ["10:00:00", "11:00:00", "12:00:00"]),
    ],
)
def test_missed_slots_are_dealt_with_as_declared(catch_up: CatchUp, expected: list[str]) -> None:
    """After hours in which no scheduler ran: none, the last, or each of them."""
    schedule = Schedule(task=jobs.echo, at=Every(timedelta(hours=1)), catch_up=catch_up)
    last, now = NOON - timedelta(hours=3), NOON + timedelta(minutes=30)

    assert due(schedule, last=last, now=now) == expected


def test_a_scheduler_that_was_only_busy_leaves_no_slot_out() -> None:
    """Slots of the last seconds were not missed."""
    schedule = Schedule(task=jobs.echo, at=Every(timedelta(seconds=1)))

    slots = due(schedule, last=NOON, now=NOON + timedelta(seconds=3.5))

    assert slots == ["12:00:01", "12:00:02", "12:00:03"]


def test_what_is_caught_up_is_bounded() -> None:
    """A year without a scheduler is no flood."""
    schedule = Schedule(
        task=jobs.echo,
        at=Every(timedelta(minutes=1)),
        catch_up=CatchUp.ALL,
        most_caught_up=3,
    )

    slots = due(schedule, last=NOON - timedelta(days=365), now=NOON)

    assert slots == ["11:58:00", "11:59:00", "12:00:00"]
