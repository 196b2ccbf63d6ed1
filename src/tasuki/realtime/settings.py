"""How many may listen."""

from pydantic import Field

from tasuki.core.settings import SettingsGroup


class RealtimeSettings(SettingsGroup):
    """Open sockets and streams. Read from ``TASUKI_REALTIME__*``."""

    connections: int = Field(
        default=20_000, ge=1, description="Sockets and streams that one web process serves."
    )
    connections_per_user: int = Field(
        default=20, ge=1, description="Sockets and streams that a user has to one web process."
    )
