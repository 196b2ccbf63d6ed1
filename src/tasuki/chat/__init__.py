"""Rooms in which people talk."""

from typing import TYPE_CHECKING

from tasuki.core.faces import opened_late

if TYPE_CHECKING:
    from tasuki.chat.errors import RoomExists, RoomNotFound, TooManyRooms
    from tasuki.chat.service import ChatService
    from tasuki.chat.settings import ChatSettings
else:
    __getattr__ = opened_late(
        __name__,
        {
            "ChatService": "service",
            "ChatSettings": "settings",
            "RoomExists": "errors",
            "RoomNotFound": "errors",
            "TooManyRooms": "errors",
        },
    )

__all__ = ["ChatService", "ChatSettings", "RoomExists", "RoomNotFound", "TooManyRooms"]
