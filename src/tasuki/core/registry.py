"""A typed box of services: what wiring built, found by its class.

Web requests and tasks reach their services through one of these, so that the floors below
wiring never have to know how a service is made.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

Service = TypeVar("Service")


class Registry:
    """Holds one instance per class."""

    def __init__(self) -> None:
        self._services: dict[type[Any], Any] = {}
        self._offers: dict[type[Any], Callable[[], Any]] = {}

    def add(self, kind: type[Service], service: Service) -> Service:
        """Keep a service under its class (or the Protocol it stands for) and return it."""
        self._services[kind] = service
        return service

    def offer(self, kind: type[Service], make: Callable[[], Service]) -> None:
        """Keep how a service is made: once, when it is first asked for.

        Raises:
            ValueError: One is kept under this class already.
        """
        if kind in self._services:
            msg = f"there is a {kind.__name__} already"
            raise ValueError(msg)
        self._offers[kind] = make

    def get(self, kind: type[Service]) -> Service:
        """Return the service kept under this class.

        Raises:
            LookupError: Nothing was added under it; the message lists what was.
        """
        if kind not in self._services and kind in self._offers:
            self._services[kind] = self._offers[kind]()
        try:
            return cast(Service, self._services[kind])
        except KeyError:
            names = {key.__name__ for key in (*self._services, *self._offers)}
            known = ", ".join(sorted(names)) or "nothing"
            msg = f"no {kind.__name__} was provided; there is: {known}"
            raise LookupError(msg) from None
