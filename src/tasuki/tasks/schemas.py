"""The JSON of tasks, as HTTP shows and takes it."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from tasuki.tasks.declare import EnqueueOptions
from tasuki.tasks.records import TaskRecord
from tasuki.tasks.states import CELERY_WORDS, State
from tasuki.tasks.telling import MAIL_ME


class Progress(BaseModel):
    """How far a running task is."""

    current: float = Field(description="Steps done.")
    total: float | None = Field(description="Steps in all, where known.")
    unit: str | None = Field(description="What is counted, e.g. `files`.")
    message: str | None = Field(description="What is being done.")


class ArtifactOut(BaseModel):
    """The file a task left."""

    model_config = ConfigDict(from_attributes=True)

    name: str = Field(description="What it is called when somebody downloads it.")
    media_type: str = Field(description="Its media type (RFC 6838).")
    size_bytes: int = Field(description="Its length.")
    sha256: str = Field(description="Its SHA-256, in hexadecimal.")


class TaskError(BaseModel):
    """Why a task did not succeed, or why its last attempt did not."""

    kind: str = Field(description="error, timeout, crash, cancelled or expired.")
    type: str = Field(description="Name of the exception.")
    message: str = Field(description="What the exception says.")
    retryable: bool = Field(description="Whether another attempt could have helped.")


class TaskOut(BaseModel):
    """One piece of background work."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID = Field(description="Its id; newer ones sort after older ones.")
    name: str = Field(description="Which task it is.")
    queue: str = Field(description="Where it waits.")
    lane: str = Field(description="What runs it: local, io or cpu.")
    state: State = Field(description="Where it is in its life.")
    args: dict[str, Any] = Field(description="Its arguments by name.")
    priority: int = Field(description="-100 to 100, higher first.")
    tags: list[str] = Field(description="Words to find it by.")
    owner_id: int | None = Field(description="The user it belongs to; null: the system's own.")
    batch_id: UUID | None = Field(description="The batch it is part of.")
    parent_id: UUID | None = Field(description="The task that ordered it, if one did.")
    replay_of: UUID | None = Field(description="The task that it repeats.")
    attempt: int = Field(description="Attempts begun.")
    max_attempts: int = Field(description="Attempts it has in all.")
    crash_count: int = Field(description="Workers that died with it.")
    progress: Progress | None = Field(description="How far it is, as it told last.")
    result: Any = Field(description="What it returned; null where that became a file.")
    artifact: ArtifactOut | None = Field(description="The file it left.")
    error: TaskError | None = Field(description="Why it, or its last attempt, did not succeed.")
    available_at: datetime = Field(description="When it may begin at the earliest.")
    expires_at: datetime | None = Field(description="Worthless if not begun until then.")
    created_at: datetime = Field(description="When it was ordered.")
    started_at: datetime | None = Field(description="When its first attempt began.")
    finished_at: datetime | None = Field(description="When it ended.")

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
    mail_me: bool = MAIL_ME

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
