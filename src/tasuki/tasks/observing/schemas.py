"""The JSON of what operators see."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from tasuki.tasks.observing.records import HeldTask, WorkerRecord


class QueueOut(BaseModel):
    """One queue in one lane."""

    queue: str
    lane: str
    waiting: int = Field(description="Tasks that are due and that no worker has.")
    scheduled: int = Field(description="Tasks that are not due yet, retries among them.")
    retrying: int = Field(
        description="Tasks that wait, due or not, with a failed attempt behind them."
    )
    running: int
    oldest_due_s: float | None = Field(
        description="How long the oldest waiting task has been due, in seconds."
    )
    dispatch_lag_s: float | None = Field(
        description="How long the oldest task has been due for which no bell was rung, in "
        "seconds; null where there is none."
    )
    ended_per_minute: float = Field(description="Over the last five minutes.")
    failed_lately: int = Field(
        description="Tasks that failed, timed out or crashed in the last five minutes."
    )
    bells: int | None = Field(
        description="Messages in the broker; null while it is silent, and in the lane local."
    )


class Queues(BaseModel):
    """All queues, each with the lanes that serve it."""

    items: list[QueueOut]


class HeldTaskOut(BaseModel):
    """A task that a worker holds."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    started_at: datetime | None


class WorkerOut(BaseModel):
    """A worker."""

    model_config = ConfigDict(from_attributes=True)

    name: str = Field(description="LANE@HOST:PID")
    lane: str
    host: str
    pid: int
    concurrency: int = Field(description="Tasks that it runs at once.")
    running: int = Field(description="Tasks that it holds now.")
    tasks: list[HeldTaskOut] = Field(description="The ten of them that it has held longest.")
    started_at: datetime
    seen_at: datetime = Field(description="When it last said that it lives.")


class Workers(BaseModel):
    """All workers."""

    items: list[WorkerOut] = Field(description="Those that live.")
    lost: list[WorkerOut] = Field(
        description="Those that fell silent in the last hour without saying that they stop; "
        "what they held is taken from them when its lease ends."
    )

    @classmethod
    def of(
        cls,
        alive: Iterable[WorkerRecord],
        lost: Iterable[WorkerRecord],
        held: Mapping[str, list[HeldTask]],
    ) -> "Workers":
        """Put workers and what they hold together.

        Args:
            held: By the worker's name.
        """

        def shown(workers: Iterable[WorkerRecord]) -> list[WorkerOut]:
            return [
                WorkerOut.model_validate({**asdict(worker), "tasks": held.get(worker.name, [])})
                for worker in workers
            ]

        return cls(items=shown(alive), lost=shown(lost))
