"""Draws people with habits, and what they did day by day. Knows nothing of databases."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import accumulate
from random import Random
from zoneinfo import ZoneInfo

from tasuki.accounts.demo.names import CULTURES, Culture


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who does not exist."""

    username: str
    name: str
    email: str
    joined_at: datetime
    culture: Culture


@dataclass(frozen=True, slots=True)
class _Habit:
    """When a kind of person comes by.

    Attributes:
        share: How many of a hundred people are so.
        weekdays: Chance of a visit on each day of the week, Monday first.
        hours: Weight of each two hours of the local day, midnight first.
    """

    share: int
    weekdays: tuple[float, ...]
    hours: tuple[int, ...]


_HABITS = (
    # At work: office hours, hardly ever on a weekend.
    _Habit(45, (0.7, 0.7, 0.65, 0.7, 0.55, 0.05, 0.04), (0, 0, 0, 1, 8, 12, 6, 10, 9, 3, 1, 0)),
    # After work: evenings, more on a weekend.
    _Habit(25, (0.3, 0.3, 0.35, 0.3, 0.35, 0.5, 0.55), (1, 0, 0, 1, 1, 1, 2, 2, 3, 7, 12, 6)),
    # On the train: early and late, on working days.
    _Habit(12, (0.6, 0.6, 0.6, 0.6, 0.55, 0.15, 0.1), (0, 0, 0, 9, 5, 1, 2, 1, 3, 9, 4, 1)),
    # By night.
    _Habit(5, (0.4, 0.4, 0.4, 0.4, 0.5, 0.5, 0.4), (12, 9, 4, 1, 0, 1, 1, 1, 2, 3, 6, 10)),
    # Now and then.
    _Habit(13, (0.06, 0.05, 0.06, 0.05, 0.06, 0.08, 0.08), (1, 0, 0, 1, 3, 5, 5, 5, 5, 5, 4, 2)),
)
_SHARES = tuple(habit.share for habit in _HABITS)
_SLOTS = range(12)
_SLOT_S = 7200
_VISIT_S = 2700.0  # mean time from the login to something that is done in a visit
_MEAN_AGE_DAYS = 240.0
_MAX_AGE_DAYS = 1500.0


class Population:
    """Draws people one after another, and each one's activity.

    The same seed gives the same people; the same seed, days and moment the same activity.

    Args:
        days: How far back the activity goes; the day of `now` is the last of them.
        now: Where it ends, aware.
        taken: Usernames that must not be drawn.
    """

    def __init__(self, *, seed: int, days: int, now: datetime, taken: set[str]) -> None:
        # Two sources, so that the people stay the same when the days change.
        self._people = Random(seed)  # noqa: S311  # repeatable on purpose, no secret
        self._doings = Random(f"{seed} activity")  # noqa: S311  # as above
        self._days = days
        self._now = now
        self._times_drawn = dict.fromkeys(taken, 1)
        self._midnights: dict[str, list[tuple[datetime, int]]] = {}

    def person(self) -> Person:
        """Draw the next person."""
        random = self._people
        culture = random.choice(CULTURES)
        family, family_latin = random.choice(culture.family)
        given, given_latin = random.choice(culture.given)
        username = self._free_name(f"{given_latin}.{family_latin}")
        name = f"{family} {given}" if culture.family_first else f"{given} {family}"
        age_days = min(random.expovariate(1 / _MEAN_AGE_DAYS), _MAX_AGE_DAYS)
        return Person(
            username=username,
            name=name,
            email=f"{username}@{random.choice(culture.domains)}",
            joined_at=self._now - timedelta(days=age_days),
            culture=culture,
        )

    def activity_of(self, person: Person) -> Iterator[tuple[str, datetime]]:
        """Draw what one person did: kinds and moments, day by day."""
        random = self._doings
        habit = random.choices(_HABITS, _SHARES)[0]
        hours = list(accumulate(habit.hours))
        zone = random.choice(person.culture.timezones)
        # Most people write little and some a lot.
        rates = (("post", random.expovariate(2.0)), ("comment", random.expovariate(1.2)))
        for midnight, weekday in self._local_midnights(zone):
            if random.random() >= habit.weekdays[weekday]:
                continue
            slot = random.choices(_SLOTS, cum_weights=hours)[0]
            start = midnight + timedelta(seconds=slot * _SLOT_S + random.random() * _SLOT_S)
            if not person.joined_at <= start <= self._now:
                continue
            yield "login", start
            yield from self._visit(start, rates)

    def _visit(
        self, start: datetime, rates: tuple[tuple[str, float], ...]
    ) -> Iterator[tuple[str, datetime]]:
        random = self._doings
        for kind, rate in rates:
            for _ in range(int(random.expovariate(1 / rate)) if rate > 0 else 0):
                at = start + timedelta(seconds=random.expovariate(1 / _VISIT_S))
                if at <= self._now:
                    yield kind, at

    def _free_name(self, name: str) -> str:
        count = self._times_drawn.get(name, 0) + 1
        self._times_drawn[name] = count
        if count == 1:
            return name
        numbered = f"{name}{count}"
        return self._free_name(name) if numbered in self._times_drawn else numbered

    def _local_midnights(self, zone: str) -> list[tuple[datetime, int]]:
        """Return the beginning of each day in a timezone, in UTC, and its day of the week."""
        if zone not in self._midnights:
            local = ZoneInfo(zone)
            today = self._now.astimezone(local).date()
            days = [today - timedelta(days=back) for back in reversed(range(self._days))]
            self._midnights[zone] = [
                (datetime.combine(day, time(), local).astimezone(UTC), day.weekday())
                for day in days
            ]
        return self._midnights[zone]
