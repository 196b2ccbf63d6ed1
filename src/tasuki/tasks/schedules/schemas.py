"""The JSON of schedules."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from tasuki.tasks.schedules.declare import CatchUp


class ScheduleOut(BaseModel):
    """A task that begins by the clock."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    task: str
    at: str = Field(description="When it runs, in words.")
    cron: str | None = Field(description="The expression behind the words; null: an interval.")
    timezone: str | None = Field(description="Whose hours the expression tells.")
    catch_up: CatchUp = Field(description="What becomes of slots in which no scheduler ran.")
    enabled: bool
    last_run_at: datetime | None
    last_task_id: UUID | None
    next_run_at: datetime | None


class Schedules(BaseModel):
    """All schedules."""

    items: list[ScheduleOut]
    next: None = None


class ScheduleChange(BaseModel):
    """Switches a schedule."""

    model_config = ConfigDict(extra="forbid")

    enabled: bool
