"""The console: what people see in a browser. It knows the API by HTTP only."""

from tasuki.ui.console import PAGES, mount_console

__all__ = ["PAGES", "mount_console"]
