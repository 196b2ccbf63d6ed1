"""The states of a task, what they are called in Celery's words, and the lanes.

::

    scheduled → queued → running → succeeded | failed | cancelled | timed_out | crashed | expired
                          ↕ retrying              cancelling (asked, not yet ended)
"""

from enum import StrEnum
from typing import Literal, get_args

Lane = Literal["local", "io", "cpu"]
LANES: tuple[Lane, ...] = get_args(Lane)
"""Where tasks run: ``local`` in the web process, for short work; ``io`` for work that mostly
waits; ``cpu`` for work that computes."""
WORKER_LANES: tuple[Lane, ...] = ("io", "cpu")
"""The lanes that Celery workers serve; the broker has queues for these alone."""


class State(StrEnum):
    """Where a task is. A state says what is, not why; the cause stands in ``error``."""

    SCHEDULED = "scheduled"  #: It waits for the time it was ordered for.
    QUEUED = "queued"  #: It waits for a worker.
    RUNNING = "running"  #: A worker holds it.
    RETRYING = "retrying"  #: An attempt failed; it waits for the time of the next.
    CANCELLING = "cancelling"  #: A worker holds it and was asked to stop.
    SUCCEEDED = "succeeded"  #: It ended well.
    FAILED = "failed"  #: Its last attempt raised an error.
    CANCELLED = "cancelled"  #: Somebody cancelled it.
    TIMED_OUT = "timed_out"  #: Its last attempt took too long.
    CRASHED = "crashed"  #: It took down as many workers as it may.
    EXPIRED = "expired"  #: Nobody took it before it lost its meaning.

    @property
    def is_terminal(self) -> bool:
        """Whether it never changes any more."""
        return self in TERMINAL


WAITING = frozenset({State.SCHEDULED, State.QUEUED, State.RETRYING})
HELD = frozenset({State.RUNNING, State.CANCELLING})
TERMINAL = frozenset(State) - WAITING - HELD

CELERY_WORDS = {
    State.SCHEDULED: "PENDING",
    State.QUEUED: "PENDING",
    State.RUNNING: "STARTED",
    State.CANCELLING: "STARTED",
    State.RETRYING: "RETRY",
    State.SUCCEEDED: "SUCCESS",
    State.CANCELLED: "REVOKED",
    State.EXPIRED: "REVOKED",
    State.FAILED: "FAILURE",
    State.TIMED_OUT: "FAILURE",
    State.CRASHED: "FAILURE",
}
