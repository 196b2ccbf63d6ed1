"""How much a client may say: a bucket that fills with time (a token bucket)."""

from typing import Literal

PER_S = 20.0
BURST = 60.0
_PATIENCE = 60  # refused messages, one after the other, until it is a flood


class MessageLimit:
    """Counts the messages of one client: 20 a second, 60 at once."""

    TAKEN: Literal["taken"] = "taken"
    TOO_MANY: Literal["too many"] = "too many"
    FLOOD: Literal["flood"] = "flood"

    def __init__(self) -> None:
        self._left = BURST
        self._at: float | None = None
        self._refused = 0

    def take(self, now: float) -> Literal["taken", "too many", "flood"]:
        """Return whether one more message is taken, is too many, or is a flood.

        Args:
            now: Seconds on a clock that only goes forward.
        """
        if self._at is not None:
            self._left = min(BURST, self._left + (now - self._at) * PER_S)
        self._at = now
        if self._left >= 1:
            self._left -= 1
            self._refused = 0
            return self.TAKEN
        self._refused += 1
        return self.FLOOD if self._refused > _PATIENCE else self.TOO_MANY
