"""The JSON of suppressions."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from tasuki.mail.records import Reason


class SuppressionIn(BaseModel):
    """An address that is to be written to no more."""

    model_config = ConfigDict(extra="forbid")

    address: str = Field(max_length=320)
    detail: str = Field(default="", max_length=500, description="Why, for people.")


class SuppressionOut(BaseModel):
    """An address that is written to no more."""

    model_config = ConfigDict(from_attributes=True)

    address: str
    reason: Reason = Field(
        description="rejected: its mail system says there is nobody. unsubscribed: still gets "
        "what is not sent to many. by_hand: an admin said so."
    )
    detail: str
    created_at: datetime
