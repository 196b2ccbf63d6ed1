"""A broker within one process: for tests, and for trying things out."""

import time
from collections import deque
from dataclasses import dataclass, field, replace

from tasuki.core.ids import new_secret
from tasuki.realtime.broker import Listener
from tasuki.realtime.channels import History, Position, Publication, Slice

_ONCE_S = 600.0
_MOST_ONCE = 10_000


@dataclass
class _Stream:
    epoch: str = field(default_factory=lambda: new_secret()[:8])
    offset: int = 0
    kept: deque[tuple[float, Publication]] = field(default_factory=deque)
    history: History = field(default_factory=History)


class MemoryBroker:
    """See `Broker`. It forgets everything with its process."""

    def __init__(self) -> None:
        self._streams: dict[str, _Stream] = {}
        self._once: dict[tuple[str, str], tuple[float, Position]] = {}
        self._subscribed: set[str] = set()
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        """Tell somebody of what is heard."""
        self._listeners.append(listener)

    async def publish(
        self, publication: Publication, *, history: History | None, once: str | None = None
    ) -> Position | None:
        """See `Broker.publish`."""
        if history is None:
            self._tell(publication)
            return None
        known = self._once.get((publication.channel, once)) if once else None
        if known is not None and known[0] > time.monotonic():
            return known[1]
        stream = self._streams.setdefault(publication.channel, _Stream())
        stream.offset += 1
        stream.history = history
        position = Position(stream.epoch, stream.offset)
        placed = replace(publication, position=position)
        stream.kept.append((time.monotonic(), placed))
        _forget(stream)
        if once:
            self._remember((publication.channel, once), position)
        self._tell(placed)
        return position

    async def history(self, channel: str, since: Position | None, *, most: int) -> Slice:
        """See `Broker.history`."""
        stream = self._streams.setdefault(channel, _Stream())
        _forget(stream)
        position = Position(stream.epoch, stream.offset)
        if since is None:
            return Slice(position, [], is_whole=True)
        missing = stream.offset - since.offset
        if since.epoch != stream.epoch or not 0 <= missing <= min(most, len(stream.kept)):
            return Slice(position, [], is_whole=False)
        kept = [publication for _, publication in stream.kept]
        return Slice(position, kept[len(kept) - missing :], is_whole=True)

    async def subscribe(self, channel: str) -> None:
        """See `Broker.subscribe`."""
        self._subscribed.add(channel)

    def unsubscribe(self, channel: str) -> None:
        """See `Broker.unsubscribe`."""
        self._subscribed.discard(channel)

    def _tell(self, publication: Publication) -> None:
        if publication.channel in self._subscribed:
            for listener in self._listeners:
                listener.heard(publication)

    def _remember(self, key: tuple[str, str], position: Position) -> None:
        now = time.monotonic()
        if len(self._once) >= _MOST_ONCE:
            self._once = {at: known for at, known in self._once.items() if known[0] > now}
        self._once[key] = (now + _ONCE_S, position)


def _forget(stream: _Stream) -> None:
    oldest = time.monotonic() - stream.history.age.total_seconds()
    while len(stream.kept) > stream.history.size or (stream.kept and stream.kept[0][0] < oldest):
        stream.kept.popleft()
