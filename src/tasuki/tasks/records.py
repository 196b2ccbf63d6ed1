"""A task as people and programs see it: the nouns that services return."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from tasuki.core.jsontext import dump
from tasuki.tasks.artifacts import Artifact
from tasuki.tasks.states import State


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskHandle:
    """What an order gives back.

    Attributes:
        is_new: False when an earlier order with the same idempotency key was found instead.
    """

    id: UUID
    state: State
    is_new: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """A task that is to be written.

    Attributes:
        args: The arguments as JSON text.
        args_hash: By which the same order is known again.
        columns: What it does not share with the orders beside it.
    """

    id: UUID
    args: str
    args_hash: bytes
    columns: Mapping[str, Any] = field(default_factory=dict)

    def text(self) -> str:
        """Return all of it as one JSON object."""
        own = {"id": str(self.id), "args_hash": self.args_hash.hex(), **self.columns}
        return f'{dump(own)[:-1]},"args":{self.args}}}'


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskRecord:
    """One task, all that may be shown of it."""

    id: UUID
    name: str
    queue: str
    lane: str
    state: State
    args: dict[str, Any]
    priority: int
    tags: list[str]
    owner_id: int | None
    batch_id: UUID | None
    parent_id: UUID | None
    replay_of: UUID | None
    attempt: int
    max_attempts: int
    crash_count: int
    progress: dict[str, Any] | None
    result: Any
    artifact: Artifact | None
    error: dict[str, Any] | None
    event_seq: int
    available_at: datetime
    expires_at: datetime | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Moved:
    """A task whose state was changed.

    Attributes:
        owner_id: Who is told that something of theirs changed.
        batch_id: The batch that counts it.
        next_id: The task that was let go, because this one was the last of its batch.
    """

    id: UUID
    state: State
    owner_id: int | None
    batch_id: UUID | None = None
    next_id: UUID | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskEvent:
    """One thing that happened to a task."""

    task_id: UUID
    seq: int
    type: str
    at: datetime
    attempt: int
    data: dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskFilter:
    """Which tasks a list shows; what is None does not matter."""

    owner_id: int | None = None
    state: State | None = None
    name: str | None = None
    queue: str | None = None
    batch_id: UUID | None = None
    parent_id: UUID | None = None
    replay_of: UUID | None = None
    tag: str | None = None
