"""Faces of packages that import what is behind them only when it is asked for (PEP 562).

`tasuki up` watches over processes and needs nothing but settings; a worker serves no HTTP.
Without this, whoever imports the smallest part of a capability imports all of it, which
takes a second in each of five processes.
"""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def opened_late(package: str, rooms: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a package.

    Args:
        package: The package's ``__name__``.
        rooms: Each public name and the module of the package that has it.
    """

    def get(name: str) -> Any:
        if name not in rooms:
            msg = f"module {package!r} has no attribute {name!r}"
            raise AttributeError(msg)
        value = getattr(import_module(f"{package}.{rooms[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return get
