"""When somebody has left a room, and how many rooms one makes."""

from pydantic import Field

from tasuki.core.settings import SettingsGroup


class ChatSettings(SettingsGroup):
    """Rooms. Read from ``TASUKI_CHAT__*``."""

    leave_after_s: float = Field(
        default=5,
        gt=0,
        le=30,
        description="Seconds without a socket until somebody has left a room; "
        "who reloads a page within them was never away.",
    )
    rooms_per_user: int = Field(default=100, ge=1, description="Rooms that one user may make.")
