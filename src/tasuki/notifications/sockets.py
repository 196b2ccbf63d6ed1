"""The guide's socket of notifications: the channels of one user as simple JSON messages."""

from collections.abc import Mapping
from typing import Any

from tasuki.core.errors import Forbidden
from tasuki.core.registry import Registry
from tasuki.notifications.channels import SYSTEM, USER
from tasuki.realtime.messages import Ping, pong, read_message
from tasuki.web.principal import Principal


class NotificationsSession:
    """Implements `tasuki.realtime.sockets.SocketSession`."""

    types = frozenset({"notification", "notifications_read", "system_notification"})

    def __init__(self, user: Principal) -> None:
        self.channels = (SYSTEM.channel(), USER.channel(user.id))

    async def entered(self) -> None:
        """See `SocketSession.entered`."""

    async def received(self, message: dict[str, Any]) -> dict[str, Any] | None:
        """See `SocketSession.received`; a client may say nothing else."""
        read_message(Ping, message)
        return pong()

    async def left(self) -> None:
        """See `SocketSession.left`."""


async def open_session(
    user: Principal, where: Mapping[str, Any], _services: Registry
) -> NotificationsSession:
    """Let a user hear what they are told, and nobody else, not even an admin.

    Raises:
        Forbidden: It is not the user's own.
    """
    if where["user_id"] != str(user.id):
        raise Forbidden("not your notifications")
    return NotificationsSession(user)
