"""A channel in this process: where it is, what it had last, and who gets what from it."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tasuki.realtime.channels import Namespace, Position, Publication, Slice
from tasuki.realtime.hints import Hints
from tasuki.realtime.outbox import Outbox

MOST_RECOVERED = 300
"""Publications that a client may have missed; of more it is told that they are gone."""

Places = Mapping[str, Position]


class Table(Protocol):
    """The history of a namespace whose publications are rows."""

    async def history(self, key: str, since: Position | None, *, most: int) -> Slice:
        """Do as `Broker.history`; of more than ``most`` return the first, and where they end."""
        ...


class Format(Protocol):
    """How a kind of client is told. Formats that are equal give the same bytes.

    Attributes:
        has_places: Whether the bytes tell where the client is; if not, it is not found out.
    """

    @property
    def has_places(self) -> bool:
        """See above."""
        ...

    def __hash__(self) -> int: ...
    def __eq__(self, other: object) -> bool: ...

    def publication(self, publication: Publication, places: Places) -> bytes | None:
        """Return what a client is sent; none: it is not interested.

        Args:
            places: Where the client is in its channels once it has this.
        """
        ...

    def reset(self, channels: Sequence[str], places: Places) -> bytes | None:
        """Return how a client is told that something of these channels is lost to it.

        None: such a client must be cut off, and begin anew.
        """
        ...


@dataclass(eq=False, kw_only=True, slots=True)
class Subscription:
    """One connection's interest in some channels.

    Attributes:
        begins: Where channels begin for this client; nothing before that is sent to it.
        on_begun: Told where the client is before anything is sent to it.
        on_lost: Called when a reset cannot be told to such a client.
    """

    channels: tuple[str, ...]
    format: Format
    outbox: Outbox
    begins: Places = field(default_factory=dict)
    on_begun: Callable[[Places], None]
    on_lost: Callable[[], None]


class Group:
    """Those subscribers of a feed who get the same bytes."""

    def __init__(self, format: Format, channels: tuple[str, ...]) -> None:  # noqa: A002  # its name
        self.format = format
        self.channels = channels
        self.members: dict[Subscription, Outbox] = {}


GroupKey = tuple[Format, tuple[str, ...]]


class Feed:
    """One channel in this process."""

    def __init__(self, channel: str, namespace: Namespace, key: str) -> None:
        self.channel = channel
        self.namespace = namespace
        self.key = key
        self.users = 0
        self.position: Position | None = None
        self.groups: dict[GroupKey, Group] = {}
        self.recent: deque[Publication] = deque(maxlen=MOST_RECOVERED)
        self.waiting: list[Publication] = []
        self.reading: asyncio.Task[None] | None = None
        self.opening: asyncio.Future[None] | None = None
        self.must_read_again = False
        self.stop_notices: Callable[[], None] | None = None
        self.hints: Hints | None = None

    @property
    def is_remembered(self) -> bool:
        """Whether there is a history to read."""
        return self.namespace.from_table or self.namespace.history is not None

    def after(self, since: Position, read: Slice | None) -> list[Publication] | None:
        """Return everything after a position, or nothing if part of it is gone."""
        now = self.position
        if now is None or since.epoch != now.epoch or since.offset > now.offset:
            return None
        found = {one.position.offset: one for one in self.recent if one.position}
        if read is not None and read.is_whole and read.position.epoch == now.epoch:
            found |= {one.position.offset: one for one in read.publications if one.position}
        wanted = range(since.offset + 1, now.offset + 1)
        if len(wanted) > MOST_RECOVERED or any(offset not in found for offset in wanted):
            return None
        return [found[offset] for offset in wanted]

    def follows(self, publication: Publication) -> bool | None:
        """Whether it is the next one; None if it was here before."""
        at, now = publication.position, self.position
        if at is None or now is None or at.epoch != now.epoch:
            return False
        return None if at.offset <= now.offset else at.offset == now.offset + 1

    def is_behind(self, place: Position) -> bool:
        """Whether the channel is farther than this process knows."""
        now = self.position
        return now is not None and now.epoch == place.epoch and now.offset < place.offset

    def join(self, subscription: Subscription) -> None:
        """Have a subscriber told from now on."""
        key = _key_of(subscription)
        group = self.groups.get(key)
        if group is None:
            group = self.groups[key] = Group(*key)
        group.members[subscription] = subscription.outbox

    def part(self, subscription: Subscription) -> None:
        """Tell a subscriber nothing more."""
        key = _key_of(subscription)
        del self.groups[key].members[subscription]
        if not self.groups[key].members:
            del self.groups[key]


def _key_of(subscription: Subscription) -> GroupKey:
    return subscription.format, subscription.channels if subscription.format.has_places else ()
