"""News between processes: something changed, look at it."""

from tasuki.realtime.notices import MemoryNotices, Notices, RedisNotices, Waiter

__all__ = ["MemoryNotices", "Notices", "RedisNotices", "Waiter"]
