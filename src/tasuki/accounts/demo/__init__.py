"""People who do not exist, and what they did, for trying things out."""

from tasuki.accounts.demo.fill import fill_demo

__all__ = ["fill_demo"]
