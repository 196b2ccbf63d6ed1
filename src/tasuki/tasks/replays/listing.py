"""The JSON of what did not succeed, as HTTP asks for it and shows it."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from tasuki.tasks.replays.schemas import FailureFilter, Replayable
from tasuki.web.paging import MAX_PAGE


class FailurePage(FailureFilter):
    """Which page of what did not succeed."""

    cursor: str | None = Field(
        default=None, max_length=200, description="`next` of the page before."
    )
    limit: int = Field(default=50, ge=1, le=MAX_PAGE, description="Items on a page.")


class FailureGroupOut(BaseModel):
    """Tasks of one name that ended alike."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    state: Replayable
    error_type: str | None
    count: int
    last_id: UUID = Field(description="The newest of them.")
    last_message: str | None = Field(description="Its error, in at most 500 characters.")
    last_at: datetime = Field(description="When it ended.")


class FailuresOut(BaseModel):
    """How many tasks did not succeed, by name and error; the most frequent first."""

    model_config = ConfigDict(from_attributes=True)

    items: list[FailureGroupOut] = Field(description="No more than a hundred.")
    total: int = Field(description="Over all groups, also those left out of `items`.")
    is_more: bool = Field(description="Whether there are older ones, which were not counted.")
