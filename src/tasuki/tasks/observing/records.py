"""What is known of background work at one moment."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """Unfinished tasks that are alike.

    Attributes:
        due: How many of them wait and might run now.
        unrung_s: How long the oldest has been due for which no bell was rung; None: no such.
        untaken_s: How long the oldest has been due that was rung for and not taken; None: no
            such.
    """

    name: str
    queue: str
    lane: str
    state: str
    count: int
    due: int
    unrung_s: float | None
    untaken_s: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Count:
    """How often something happened, or how long it took in all; see `TaskCountRow`."""

    name: str
    what: str
    bound: float
    value: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """How many tasks of a queue and lane ended lately.

    Attributes:
        failed: How many of them failed, timed out or crashed.
    """

    queue: str
    lane: str
    count: int
    failed: int


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldTask:
    """A task that a worker holds.

    Attributes:
        worker: The worker's name; a child's is that of its worker.
    """

    worker: str
    id: UUID
    name: str
    started_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerRecord:
    """A worker, living or lost.

    Attributes:
        name: ``LANE@HOST:PID``.
        concurrency: Tasks that it runs at once.
        running: Tasks that it holds now.
    """

    name: str
    lane: str
    host: str
    pid: int
    concurrency: int
    running: int
    started_at: datetime
    seen_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """All of it, read together."""

    standing: list[Standing]
    counts: list[Count]
    workers: list[WorkerRecord]
