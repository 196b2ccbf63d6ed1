"""The JSON of activity, as HTTP shows and takes it."""

from datetime import datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from tasuki.activity.records import Activity


class ActivityIn(BaseModel):
    """Something the caller did."""

    model_config = ConfigDict(extra="forbid")

    kind: str = Field(
        min_length=1, max_length=64, description="`login`, `post`, `comment`, or one of your own."
    )
    data: dict[str, Any] = Field(
        default_factory=dict, description="Details; at most 16 KB as JSON."
    )
    at: AwareDatetime | None = Field(
        default=None, description="When it happened; default: now. Not in the future."
    )


class ActivityOut(BaseModel):
    """Something that was recorded."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    kind: str
    data: dict[str, Any]
    at: datetime

    @classmethod
    def of(cls, activity: Activity) -> "ActivityOut":
        """Return an activity as JSON shows it."""
        return cls.model_validate(activity)
