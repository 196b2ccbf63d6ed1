"""The command `tasuki`."""

from tasuki.core.garbage import importing

with importing():
    from tasuki.cli.main import main

__all__ = ["main"]
