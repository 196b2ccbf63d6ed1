"""A typed box of services: what wiring built, found by its class.

Web requests and tasks reach their services through one of these, so that the floors below
wiring never have to know how a service is made.
"""

from typing import Any, TypeVar, cast

Service = TypeVar("Service")


class Registry:
    """Holds one instance per class."""

    def __init__(self) -> None:
        self._services: dict[type[Any], Any] = {}

    def add(self, kind: type[Service], service: Service) -> Service:
        """Keep a service under its class (or the Protocol it stands for) and return it."""
        self._services[kind] = service
        return service

    def get(self, kind: type[Service]) -> Service:
        """Return the service kept under this class.

        Raises:
            LookupError: Nothing was added under it; the message lists what was.
        """
        try:
            return cast(Service, self._services[kind])
        except KeyError:
            known = ", ".join(sorted(key.__name__ for key in self._services)) or "nothing"
            msg = f"no {kind.__name__} was provided; there is: {known}"
            raise LookupError(msg) from None
