"""The JSON of batches, as HTTP shows and takes it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from tasuki.tasks.batches.service import LARGEST
from tasuki.tasks.telling import MAIL_ME_OF_ALL


class BatchOut(BaseModel):
    """Many tasks as one. The five numbers add up to `total`."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str = Field(description="The task that each of them is.")
    owner_id: int | None
    unit: str = Field(description="What is counted: tasks, or the recipients of a sending.")
    total: int
    queued: int = Field(description="Those that wait: scheduled, queued, retrying.")
    running: int = Field(description="Those a worker holds: running, cancelling.")
    succeeded: int
    failed: int = Field(description="failed, timed_out, crashed, expired.")
    cancelled: int
    progress: float = Field(description="Which part has ended.", ge=0, le=1)
    on_complete_id: UUID | None = Field(description="The task that begins when all have ended.")
    cancel_requested_at: datetime | None
    created_at: datetime
    finished_at: datetime | None


class FollowUp(BaseModel):
    """The task that begins when a batch is over."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=200)
    args: dict[str, Any] = Field(
        default_factory=dict,
        description="Its arguments; a parameter `batch_id` is filled in.",
    )


class BatchOrder(BaseModel):
    """An order of one task many times over."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(description="The task's name on the wire.", max_length=200)
    args: list[dict[str, Any]] = Field(
        description="The arguments of each.", min_length=1, max_length=LARGEST
    )
    queue: str | None = Field(default=None, description="Another queue than its own.")
    priority: int = Field(default=0, ge=-100, le=100, description="Higher first.")
    tags: tuple[str, ...] = Field(default=(), description="Words to find the tasks by.")
    on_complete: FollowUp | None = Field(
        default=None, description="Begins when all have ended, however they did."
    )
    mail_me: bool = MAIL_ME_OF_ALL


class BatchEventOut(BaseModel):
    """The ``data:`` of one event of a batch."""

    batch_id: UUID = Field(description="The batch it is about.")
    seq: int = Field(description="Grows with each change; the newest says all.")
    type: str = Field(description="snapshot, progress, or completed, which is the last.")
    at: datetime = Field(description="When it was told.")
    data: BatchOut = Field(description="The batch, as `GET /api/v1/batches/{id}` shows it.")
