"""The JSON of what operators see."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field


class QueueOut(BaseModel):
    """One queue in one lane."""

    queue: str
    lane: str
    waiting: int = Field(description="Tasks that are due and that no worker has.")
    scheduled: int = Field(description="Tasks that are not due yet, retries among them.")
    running: int
    oldest_due_s: float | None = Field(
        description="How long the oldest waiting task has been due, in seconds."
    )
    ended_per_minute: float = Field(description="Over the last five minutes.")
    bells: int | None = Field(
        description="Messages in the broker; null where that is not cheap to know."
    )


class Queues(BaseModel):
    """All queues, each with the lanes that serve it."""

    items: list[QueueOut]


class WorkerOut(BaseModel):
    """A living worker."""

    model_config = ConfigDict(from_attributes=True)

    name: str = Field(description="LANE@HOST:PID")
    lane: str
    host: str
    pid: int
    concurrency: int = Field(description="Tasks that it runs at once.")
    running: int = Field(description="Tasks that it holds now.")
    started_at: datetime
    seen_at: datetime = Field(description="When it last said that it lives.")


class Workers(BaseModel):
    """All living workers."""

    items: list[WorkerOut]
