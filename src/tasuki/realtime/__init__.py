"""News between processes: something changed, look at it."""

from tasuki.realtime.notices import RedisNotices

__all__ = ["RedisNotices"]
