"""Services of one's own that tasks find with `TaskContext.get`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

Service = TypeVar("Service")


@dataclass(frozen=True)
class Provided(Generic[Service]):
    """A class and how its one instance in a process is made.

    As a global of a module of ``TASUKI_TASKS__MODULES`` it is there for the tasks of every
    process, web and workers alike::

        STOCK = Provided(Stock, lambda: Stock("https://stock.example"))

    Attributes:
        make: Called once, when a task first asks, on the event loop of the tasks.
    """

    kind: type[Service]
    make: Callable[[], Service]
