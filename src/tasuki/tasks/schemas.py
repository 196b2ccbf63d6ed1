"""The JSON of tasks, as HTTP shows and takes it."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from tasuki.tasks.declare import EnqueueOptions
from tasuki.tasks.records import TaskRecord
from tasuki.tasks.states import CELERY_WORDS, State


class Progress(BaseModel):
    """How far a running task is."""

    current: float
    total: float | None
    unit: str | None
    message: str | None


class ArtifactOut(BaseModel):
    """The file a task left."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    media_type: str
    size_bytes: int
    sha256: str


class TaskError(BaseModel):
    """Why a task did not succeed, or why its last attempt did not."""

    kind: str = Field(description="error, timeout, crash, cancelled or expired.")
    type: str = Field(description="Name of the exception.")
    message: str
    retryable: bool


class TaskOut(BaseModel):
    """One piece of background work."""

    model_config = ConfigDict(from_attributes=True)

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
    parent_id: UUID | None = Field(description="The task that ordered it, if one did.")
    replay_of: UUID | None
    attempt: int
    max_attempts: int
    crash_count: int
    progress: Progress | None
    result: Any
    artifact: ArtifactOut | None
    error: TaskError | None
    available_at: datetime
    expires_at: datetime | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, record: TaskRecord) -> "TaskOut":
        """Return a record as JSON shows it."""
        return cls.model_validate(record)


class TaskOrder(BaseModel):
    """An order of a task by name."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(description="The task's name on the wire.", max_length=200)
    args: dict[str, Any] = Field(default_factory=dict, description="Its arguments by name.")
    queue: str | None = Field(default=None, description="Another queue than its own.")
    delay_s: float | None = Field(default=None, ge=0, description="Not before so many seconds.")
    expires_s: float | None = Field(
        default=None, gt=0, description="Worthless if nobody took it in so many seconds."
    )
    priority: int = Field(default=0, ge=-100, le=100, description="Higher first.")
    unique_key: str | None = Field(
        default=None, description="Refused while an unfinished task of this name has it."
    )
    tags: tuple[str, ...] = Field(default=(), description="Words to find it by.")

    def options(self, *, owner_id: int, idempotency_key: str | None) -> EnqueueOptions:
        """Return the options of this order."""
        return EnqueueOptions(
            idempotency_key=idempotency_key,
            unique_key=self.unique_key,
            delay=_seconds(self.delay_s),
            expires=_seconds(self.expires_s),
            priority=self.priority,
            queue=self.queue,
            tags=self.tags,
            owner_id=owner_id,
        )


class TaskStatus(BaseModel):
    """A task's status in Celery's words."""

    task_id: UUID
    status: str
    result: Any

    @classmethod
    def of(cls, record: TaskRecord) -> "TaskStatus":
        """Return a record's status; what went wrong stands in the result, as in Celery."""
        result = record.result if record.state is State.SUCCEEDED else record.error
        return cls(task_id=record.id, status=CELERY_WORDS[record.state], result=result)


def _seconds(value: float | None) -> timedelta | None:
    if value is None:
        return None
    # Beyond what a timedelta holds; the service says what is allowed.
    return timedelta(seconds=min(value, 10**9))
