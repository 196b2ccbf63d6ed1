"""The JSON of notifications, as HTTP shows and takes it."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from tasuki.notifications.records import (
    MOST_DATA_BYTES,
    MOST_MESSAGE,
    MOST_TITLE,
    MOST_TYPE,
    Note,
    Notification,
)
from tasuki.web.paging import Page

_MAX_ID = 2**63 - 1  # PostgreSQL's bigint


class NotificationIn(BaseModel):
    """Something that somebody is to be told: one user, or everybody."""

    model_config = ConfigDict(extra="forbid")

    user_id: int | None = Field(default=None, ge=1, le=_MAX_ID, description="Whom to tell.")
    broadcast: bool = Field(default=False, description="True, without `user_id`: everybody.")
    notification_type: str = Field(
        min_length=1, max_length=MOST_TYPE, description="One word for programs."
    )
    title: str = Field(min_length=1, max_length=MOST_TITLE, description="One line for people.")
    message: str = Field(max_length=MOST_MESSAGE, description="The rest.")
    data: dict[str, Any] | None = Field(
        default=None, description=f"Details for programs; at most {MOST_DATA_BYTES} bytes of JSON."
    )

    @model_validator(mode="after")
    def _has_one_recipient(self) -> Self:
        if (self.user_id is not None) == self.broadcast:
            msg = "send `user_id`, or `broadcast: true`, and not both"
            raise PydanticCustomError("one_recipient", msg)
        return self

    def note(self) -> Note:
        """Return what is to be told."""
        return Note(
            notification_type=self.notification_type,
            title=self.title,
            message=self.message,
            data=self.data,
        )


class NotificationOut(BaseModel):
    """Something that somebody was told."""

    id: UUID
    notification_type: str = Field(description="One word for programs, such as `task`.")
    title: str
    message: str
    data: dict[str, Any] | None = Field(description="Details for programs.")
    timestamp: datetime
    broadcast: bool = Field(description="Everybody was told it.")
    read: bool

    @classmethod
    def of(cls, told: Notification) -> "NotificationOut":
        """Return a notification as JSON shows it."""
        return cls(
            id=told.id,
            notification_type=told.notification_type,
            title=told.title,
            message=told.message,
            data=told.data,
            timestamp=told.created_at,
            broadcast=told.broadcast,
            read=told.read,
        )


class Inbox(Page[NotificationOut]):
    """A page of what you were told, newest first."""

    unread: int = Field(description="How many you have not read, on this page or not.")
