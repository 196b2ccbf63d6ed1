"""Whether this process is on its way out."""


class Draining:
    """Said once by the server, asked by readiness and by open streams."""

    def __init__(self) -> None:
        self._is_on = False

    def begin(self) -> None:
        """From now on nothing new is promised, and streams end."""
        self._is_on = True

    def __bool__(self) -> bool:
        """Whether the process is on its way out."""
        return self._is_on
