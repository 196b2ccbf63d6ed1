"""Telling people: an inbox that every tab agrees about, and a push to whoever is there."""

from typing import TYPE_CHECKING

from tasuki.core.faces import opened_late

if TYPE_CHECKING:
    from tasuki.notifications.records import Note, Notification
    from tasuki.notifications.service import NotificationService
    from tasuki.notifications.settings import NotificationsSettings
else:
    __getattr__ = opened_late(
        __name__,
        {
            "Note": "records",
            "Notification": "records",
            "NotificationService": "service",
            "NotificationsSettings": "settings",
        },
    )

__all__ = ["Note", "Notification", "NotificationService", "NotificationsSettings"]
