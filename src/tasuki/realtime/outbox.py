"""What waits to be sent to one client: bounded, and written in one piece.

A frame is bytes made once for all who get them. An outbox keeps references to frames; what has
gathered when its turn comes goes out in one write. While the client's connection is
full, frames wait here, and what happens when too many wait is said by each frame's namespace.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from tasuki.realtime.channels import WhenSlow

MOST_BYTES = 1_048_576
MOST_FRAMES = 1_000
LONGEST_S = 10.0
"""A client that takes nothing for so long is gone."""
_A_TURN = 20  # outboxes, a fraction of a millisecond's work
_AT_ONCE = 100  # frames that have gathered are written before their turn


@dataclass(slots=True, eq=False)
class Frame:
    """Bytes on their way to many clients.

    Attributes:
        key: A newer frame of the same key replaces it while it waits.
    """

    data: bytes
    when_slow: WhenSlow = "disconnect"
    key: str | None = None


class Wire(Protocol):
    """The way to one client."""

    is_writable: bool
    """Whether it takes more now; what is written nevertheless waits in memory."""

    on_writable: Callable[[], None] | None
    """Called when it takes more again."""

    def write(self, parts: Sequence[bytes]) -> None:
        """Send frames, one after the other; never blocks."""
        ...


class Flusher:
    """Writes what has gathered in the outboxes of one event loop, some of them each turn.

    So a message to thousands keeps nobody waiting, and what is published meanwhile goes out in one
    write with it to those whose turn is still to come.

    Attributes:
        blocked: Outboxes whose clients do not take what waits for them.
    """

    def __init__(self) -> None:
        self.blocked: set[Outbox] = set()
        self._filled: deque[Outbox] = deque()
        self._loop = asyncio.get_running_loop()

    def add(self, outbox: "Outbox") -> None:
        """Have an outbox written, after those that were added before."""
        if not self._filled:
            self._loop.call_soon(self._flush)
        self._filled.append(outbox)

    def _flush(self) -> None:
        filled = self._filled
        try:
            for _ in range(min(len(filled), _A_TURN)):
                outbox = filled.popleft()
                outbox.is_noted = False
                outbox.flush()
        finally:
            if filled:
                self._loop.call_soon(self._flush)


class Outbox:
    """The frames that wait for one client.

    Args:
        on_full: Called once when the client does not keep up and must be cut off.

    Attributes:
        is_noted: Whether the flusher knows that there is something to write.
    """

    __slots__ = (
        "_filled_at",
        "_flusher",
        "_fresh",
        "_is_open",
        "_on_full",
        "_size",
        "_waiting",
        "_wire",
        "is_noted",
    )

    def __init__(self, wire: Wire, flusher: Flusher, *, on_full: Callable[[], None]) -> None:
        self._wire = wire
        self._flusher = flusher
        self._is_open = False
        self._on_full: Callable[[], None] | None = on_full
        self.is_noted = False
        self._fresh: list[Frame] = []  # not tried to write yet
        self._waiting: list[Frame] = []  # that the client could not take before
        self._size = 0
        self._filled_at = 0.0
        wire.on_writable = self.flush

    def open(self) -> None:
        """Begin to write: the response has begun, and all that waits is sent."""
        self._is_open = True
        self.flush()

    def close(self) -> None:
        """Drop what waits."""
        self._on_full = None
        self._fresh.clear()
        self._waiting.clear()
        self._size = 0
        self._wire.on_writable = None
        self._flusher.blocked.discard(self)

    @property
    def size(self) -> int:
        """Bytes that wait for the client."""
        return self._size

    @property
    def is_stuck(self) -> bool:
        """Whether the client has taken nothing of what waits for too long."""
        return self._size > 0 and time.monotonic() - self._filled_at > LONGEST_S

    def put(self, frame: Frame) -> None:
        """Send a frame after all others."""
        # This is done for every frame and client; all that can is left to `flush`.
        self._fresh.append(frame)
        if not self.is_noted:
            self.is_noted = True
            self._flusher.add(self)
        elif len(self._fresh) >= _AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Write what waits, if the client takes it."""
        if self._waiting or not (self._is_open and self._wire.is_writable):
            self._flush_waiting()
        elif self._fresh:
            parts = [frame.data for frame in self._fresh]
            self._fresh.clear()
            self._wire.write(parts)

    def _flush_waiting(self) -> None:
        """Do so for a client that did not take everything before, or does not now."""
        if self._fresh:
            self._let_wait()
        if not self._waiting or not self._is_open:
            return
        if not self._wire.is_writable:
            self._flusher.blocked.add(self)
            return
        self._flusher.blocked.discard(self)
        parts = [frame.data for frame in self._waiting]
        self._waiting.clear()
        self._size = 0
        self._wire.write(parts)

    def _let_wait(self) -> None:
        """Keep what has gathered, within the bounds."""
        if not self._waiting:
            self._filled_at = time.monotonic()
        self._waiting += self._fresh
        self._size += sum(len(frame.data) for frame in self._fresh)
        self._fresh.clear()
        if not (self._is_open and self._wire.is_writable):
            self._relieve()

    def _relieve(self) -> None:
        """Make room as the waiting frames' namespaces say, or give the client up."""
        self._keep_newest()
        while self._is_over():
            oldest = next((f for f in self._waiting if f.when_slow == "drop_oldest"), None)
            if oldest is None:
                self.give_up()
                return
            self._waiting.remove(oldest)
            self._size -= len(oldest.data)

    def _keep_newest(self) -> None:
        """Of frames with the same key keep the last."""
        last = {frame.key: frame for frame in self._waiting if frame.key is not None}
        if last:
            self._waiting = [f for f in self._waiting if f.key is None or last[f.key] is f]
            self._size = sum(len(frame.data) for frame in self._waiting)

    def _is_over(self) -> bool:
        return self._size > MOST_BYTES or len(self._waiting) > MOST_FRAMES

    def give_up(self) -> None:
        """Cut the client off: it does not keep up."""
        on_full = self._on_full
        self.close()
        if on_full is not None:
            on_full()
