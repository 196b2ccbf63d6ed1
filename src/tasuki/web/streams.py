"""Counts the event streams that are open in this process."""

from collections.abc import Generator
from contextlib import contextmanager


class OpenStreams:
    """How many there are."""

    def __init__(self) -> None:
        self._count = 0

    @contextmanager
    def one_more(self) -> Generator[None]:
        """Count a stream for as long as the block runs."""
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1

    @property
    def count(self) -> int:
        """Streams that are open now."""
        return self._count
