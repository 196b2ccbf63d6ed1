"""The channels of people: each one's own, and the one of everybody."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from tasuki.core.registry import Registry
from tasuki.notifications.records import Notification
from tasuki.realtime.channels import Namespace, everybody
from tasuki.tasks.service import OWNER_KEY
from tasuki.web.principal import Principal


class NotificationTold(BaseModel):
    """Somebody was told something."""

    id: UUID = Field(description="As in the inbox.")
    notification_type: str = Field(description="One word for programs, such as `task`.")
    title: str = Field(description="One line for people.")
    message: str = Field(description="The rest.")
    data: dict[str, Any] | None = Field(description="Details for programs.")
    timestamp: datetime = Field(description="When it was told.")

    @classmethod
    def of(cls, told: Notification) -> "NotificationTold":
        """Return a notification as channels tell it."""
        return cls(
            id=told.id,
            notification_type=told.notification_type,
            title=told.title,
            message=told.message,
            data=told.data,
            timestamp=told.created_at,
        )


class NotificationsRead(BaseModel):
    """You have read something, in this tab or in another."""

    ids: list[UUID] = Field(description="What you have read; nothing if it was `all`.")
    all: bool = Field(description="You have read all there was.")
    unread: int = Field(description="How many are left; true until the next notification.")


class TasksChanged(BaseModel):
    """Your tasks are others, or in other states: read your list of them again."""


async def _is_theirs(user: Principal, key: str, _services: Registry) -> bool:
    # Not even an admin: what somebody was told is nobody else's to read.
    return key == str(user.id)


USER = Namespace(
    name="user",
    events={
        "notification": NotificationTold,
        "notifications_read": NotificationsRead,
        "tasks": TasksChanged,
    },
    may_see=_is_theirs,
    hints={"tasks": OWNER_KEY},
)
"""``user:ID``: what one user is told, what they have read of it, and that their tasks changed."""

SYSTEM = Namespace(
    name="system",
    events={"system_notification": NotificationTold},
    may_see=everybody,
    has_keys=False,
)
"""``system``: what everybody is told."""
