"""All modules of Tasuki."""

import importlib
import pkgutil

import tasuki


def import_everything() -> None:
    """Import all modules, so that every subclass is known."""
    for module in pkgutil.walk_packages(tasuki.__path__, "tasuki."):
        if ".migrations" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
