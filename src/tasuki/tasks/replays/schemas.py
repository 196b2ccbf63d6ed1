"""What may be ordered again, as HTTP takes it and as a task keeps it."""

from typing import Annotated, Literal, get_args
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Replayable = Literal["failed", "crashed", "timed_out", "cancelled", "expired"]
"""The states of tasks that have ended and did not succeed."""

# PostgreSQL has no text with U+0000 in it.
_Word = Annotated[str | None, Field(max_length=255, pattern="^[^\\x00]*$")]


class FailureFilter(BaseModel):
    """Which tasks did not succeed and were not replayed; what is left out does not matter."""

    model_config = ConfigDict(extra="forbid")

    state: Annotated[list[Replayable], Field(min_length=1, max_length=5)] | Replayable | None = (
        Field(
            default=None,
            description="Only those in this state, or in one of these; default: all that did "
            "not succeed.",
        )
    )
    name: _Word = Field(default=None, description="Only those of this name.")
    queue: _Word = Field(default=None, description="Only those of this queue.")
    tag: _Word = Field(default=None, description="Only those with this tag.")
    batch_id: UUID | None = Field(default=None, description="Only those of this batch.")
    error_type: _Word = Field(default=None, description="Only those whose error is of this type.")
    since: AwareDatetime | None = Field(
        default=None, description="Only those that ended at this time or later."
    )

    @property
    def states(self) -> list[str]:
        """Return the states that count."""
        if self.state is None:
            return list(get_args(Replayable))
        return [self.state] if isinstance(self.state, str) else list(self.state)


class ReplayOrder(FailureFilter):
    """Which tasks are ordered again; what is left out does not matter."""

    limit: int = Field(default=100_000, ge=1, le=100_000, description="The oldest so many.")


class ReplayWanted(ReplayOrder):
    """An order together with whose tasks it is about."""

    owner_id: int | None = Field(default=None, description="Only this user's; default: all.")
