"""Declaring a schedule: which task, and the moments at which it begins.

Knows nothing of databases. A schedule is a series of slots; which of them were ordered is
kept elsewhere.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from tasuki.tasks.declare import Task

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BUSY = timedelta(seconds=30)  # a slot this young was not missed; schedulers were only busy
_SHORTEST = timedelta(seconds=1)
_UNITS = (
    ("week", timedelta(weeks=1)),
    ("day", timedelta(days=1)),
    ("hour", timedelta(hours=1)),
    ("minute", timedelta(minutes=1)),
    ("second", _SHORTEST),
)


class CatchUp(StrEnum):
    """What becomes of slots in which no scheduler ran."""

    SKIP = "skip"  #: They are left out; the next is the next.
    LAST = "last"  #: One run makes up for all of them.
    ALL = "all"  #: Each is run, the oldest first.


class Slots(Protocol):
    """A series of moments without an end."""

    def after(self, moment: datetime) -> Iterator[datetime]:
        """Yield the slots after a moment, in order, aware and in UTC."""
        ...

    def __str__(self) -> str:
        """Say it for people."""
        ...


@dataclass(frozen=True)
class Every:
    """One slot in each span, counted from 1970, so that all processes agree on them.

    Raises:
        ValueError: The span is shorter than a second.
    """

    span: timedelta

    def __post_init__(self) -> None:
        """Refuse what no scheduler could keep."""
        if self.span < _SHORTEST:
            msg = f"a schedule needs a span of a second or more, not {self.span}"
            raise ValueError(msg)

    def after(self, moment: datetime) -> Iterator[datetime]:
        """See `Slots.after`."""
        number = (moment - _EPOCH) // self.span
        while True:
            number += 1
            yield _EPOCH + number * self.span

    def __str__(self) -> str:
        """See `Slots.__str__`."""
        for unit, length in _UNITS:
            count, rest = divmod(self.span, length)
            if count and not rest:
                return f"every {unit}" if count == 1 else f"every {count} {unit}s"
        return f"every {self.span.total_seconds():g} seconds"


@dataclass(frozen=True)
class Cron:
    """Slots by a cron expression of five fields, or six with seconds first.

    Days and hours are those of the time zone. Where clocks are put forward, a job of the hour
    that is skipped runs right after it; where they are put back, it runs once (as Debian's
    cron does).

    Raises:
        ValueError: The expression or the time zone cannot be read.
    """

    expression: str
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        """Refuse what cannot be read."""
        try:
            CronSim(self.expression, _EPOCH)
            ZoneInfo(self.timezone)
        except (CronSimError, ZoneInfoNotFoundError, ValueError) as exc:
            msg = f"cron {self.expression!r} in {self.timezone!r}: {exc}"
            raise ValueError(msg) from exc

    def after(self, moment: datetime) -> Iterator[datetime]:
        """See `Slots.after`."""
        for slot in CronSim(self.expression, moment.astimezone(ZoneInfo(self.timezone))):
            yield slot.astimezone(UTC)

    def __str__(self) -> str:
        """See `Slots.__str__`."""
        return f"{CronSim(self.expression, _EPOCH).explain()} ({self.timezone})"


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A task that is ordered once in each slot.

    Attributes:
        name: Its name, for people and in the database; default: the task's name.
        args: Arguments of each order.
        catch_up: What becomes of missed slots.
        most_caught_up: With `CatchUp.ALL`, no more than the newest so many.
    """

    task: Task[..., Any]
    at: Slots
    name: str = ""
    args: dict[str, Any] = field(default_factory=dict)
    catch_up: CatchUp = CatchUp.SKIP
    most_caught_up: int = 1_000

    def __post_init__(self) -> None:
        """Name it after its task where it has no name, and check its arguments."""
        if not self.name:
            object.__setattr__(self, "name", self.task.name)
        self.task.check(self.args)

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the next slot; none where the expression has no more."""
        return next(self.at.after(moment), None)

    def due(self, last: datetime, now: datetime) -> list[datetime]:
        """Return the slots to be ordered now.

        Args:
            last: The last slot that was dealt with.
        """
        missed: list[datetime] = []
        for slot in self.at.after(last):
            if slot > now:
                break
            missed.append(slot)
            if len(missed) > self.most_caught_up:
                missed.pop(0)
        fresh = [slot for slot in missed if now - slot <= _BUSY]
        if self.catch_up is CatchUp.ALL:
            return missed
        return fresh if fresh or self.catch_up is CatchUp.SKIP else missed[-1:]
