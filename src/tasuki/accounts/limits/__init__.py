"""How many wrong passwords are let through."""

from tasuki.accounts.limits.counting import LoginLimits

__all__ = ["LoginLimits"]
