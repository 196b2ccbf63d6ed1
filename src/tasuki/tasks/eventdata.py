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

    reason: str | None = Field(default=None, description="Why it went back to the queue.")
    crash_count: int | None = Field(default=None, description="Workers that died with it.")


class Started(_Data):
    """Who works on it."""

    worker: str = Field(description="The name of the worker, and of its child in the lane cpu.")
    lane: str = Field(description="The lane it serves.")


class LogLine(_Data):
    """A line a task wrote for its watchers."""

    level: str = Field(description="debug, info, warning or error.")
    message: str = Field(description="The line.")


class Retrying(_Data):
    """Why the attempt failed, and when the next one begins."""

    error: TaskError = Field(description="What went wrong.")
    available_at: datetime = Field(description="When the next attempt may begin.")


class Succeeded(_Data):
    """What the task returned; null when that became a file."""

    result: Any = Field(description="What it returned.")


class Ended(_Data):
    """Why the task did not succeed."""

    error: TaskError = Field(description="What went wrong.")


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
