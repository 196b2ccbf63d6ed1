"""Whether this process is on its way out."""


class Draining:
    """Said once by the server, asked by readiness and by open streams."""

    def __init__(self) -> None:
        self._is_on = False
        self._is_leaving = False

    def leave(self) -> None:
        """From now on requests had better go elsewhere; those that come are served."""
        self._is_leaving = True

    def begin(self) -> None:
        """From now on nothing new is promised, and streams end."""
        self.leave()
        self._is_on = True

    @property
    def is_leaving(self) -> bool:
        """Whether requests had better go elsewhere."""
        return self._is_leaving

    def __bool__(self) -> bool:
        """Whether streams have to end."""
        return self._is_on
