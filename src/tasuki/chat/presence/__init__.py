"""Who is in which room, told once for each person."""

from tasuki.chat.presence.service import Presence

__all__ = ["Presence"]
