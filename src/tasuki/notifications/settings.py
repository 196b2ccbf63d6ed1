"""How long people find what they were told."""

from pydantic import Field

from tasuki.core.settings import SettingsGroup

_DAY_S = 86_400


class NotificationsSettings(SettingsGroup):
    """Notifications. Read from ``TASUKI_NOTIFICATIONS__*``."""

    retention_s: int = Field(
        default=90 * _DAY_S,
        ge=60,
        description="Seconds a notification is kept, read or not.",
    )
