"""Builds what tells people something, for requests and for tasks."""

from typing import Any
from uuid import UUID

from tasuki.core.database import Database
from tasuki.core.registry import Registry
from tasuki.notifications import Note, NotificationService, NotificationsSettings
from tasuki.notifications.service import Recipients
from tasuki.realtime.publisher import Publisher
from tasuki.tasks.context import Notifier
from tasuki.wiring.settings import Settings


class TaskNotifier:
    """Implements `tasuki.tasks.context.Notifier`, each call in a transaction of its own."""

    def __init__(self, *, database: Database, notifications: NotificationService) -> None:
        self._database = database
        self._notifications = notifications

    async def notify(
        self,
        task_id: UUID,
        user_id: int,
        *,
        notification_type: str,
        title: str,
        message: str,
        data: dict[str, Any] | None,
    ) -> None:
        """See `Notifier.notify`."""
        note = Note(notification_type=notification_type, title=title, message=message, data=data)
        once = note.checked().id_of(task_id, user_id)
        async with self._database.unit_of_work() as session:
            await self._notifications.notify(session, user_id, note, notification_id=once)


def add_notifications(registry: Registry, settings: Settings) -> None:
    """Add what tells people something; who they are is known already."""
    registry.add(NotificationsSettings, settings.notifications)
    recipients: Recipients = registry.get(Recipients)
    notifications = registry.add(
        NotificationService,
        NotificationService(
            settings=settings.notifications,
            recipients=recipients,
            publisher=registry.get(Publisher),
        ),
    )
    registry.add(
        Notifier, TaskNotifier(database=registry.get(Database), notifications=notifications)
    )
