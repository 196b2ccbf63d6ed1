"""The command `tasuki`."""

from tasuki.cli.main import main

__all__ = ["main"]
