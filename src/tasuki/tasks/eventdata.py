"""What each event of a task carries in its ``data``; ``contracts/events.json`` is made of it.

The events themselves are written by SQL, next to the change they tell of. That they look like
this is checked on real ones in ``tests/integration/test_http_events.py``.
"""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from tasuki.tasks.schemas import ArtifactOut, Progress, TaskError, TaskOut


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Nothing(_Data):
    """The event's name says all."""


class Queued(_Data):
    """Why a task waits again; at first there is nothing to say."""

    reason: str | None = None
    crash_count: int | None = None


class Started(_Data):
    """Who works on it."""

    worker: str
    lane: str


class LogLine(_Data):
    """A line a task wrote for its watchers."""

    level: str
    message: str


class Retrying(_Data):
    """Why the attempt failed, and when the next one begins."""

    error: TaskError
    available_at: datetime


class Succeeded(_Data):
    """What the task returned; null when that became a file."""

    result: Any = Field()


class Ended(_Data):
    """Why the task did not succeed."""

    error: TaskError


EVENT_DATA: dict[str, type[BaseModel]] = {
    "snapshot": TaskOut,
    "scheduled": Nothing,
    "queued": Queued,
    "started": Started,
    "progress": Progress,
    "log": LogLine,
    "retrying": Retrying,
    "cancelling": Nothing,
    "artifact": ArtifactOut,
    "succeeded": Succeeded,
    "failed": Ended,
    "cancelled": Ended,
    "timed_out": Ended,
    "crashed": Ended,
    "expired": Ended,
}
"""Every type of event, in the order of a task's life; the last six end it."""
