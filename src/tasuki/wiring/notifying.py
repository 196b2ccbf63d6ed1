"""Builds what tells people something, for requests and for tasks."""

from tasuki.core.registry import Registry
from tasuki.notifications import NotificationService, NotificationsSettings
from tasuki.notifications.service import Recipients
from tasuki.realtime.publisher import Publisher
from tasuki.wiring.settings import Settings


def add_notifications(registry: Registry, settings: Settings) -> None:
    """Add the service; who the users are is known already."""
    registry.add(NotificationsSettings, settings.notifications)
    recipients: Recipients = registry.get(Recipients)
    registry.add(
        NotificationService,
        NotificationService(
            settings=settings.notifications,
            recipients=recipients,
            publisher=registry.get(Publisher),
        ),
    )
