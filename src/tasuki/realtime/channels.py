"""The words of realtime: channel, namespace, position, publication.

A channel is ``namespace:key``, such as ``chat:lobby``, or the bare name of a namespace that
has only one, such as ``system``. What is published in it has a position: an offset that grows
by one, within an epoch. A new epoch means that the history before it is lost.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from pydantic import BaseModel

from tasuki.core.errors import NotFound
from tasuki.core.registry import Registry
from tasuki.web.principal import Principal

_CHANNEL = re.compile(r"([a-z][a-z0-9_]{0,31})(?::([A-Za-z0-9_.@-]{1,200}))?", re.ASCII)

WhenSlow = Literal["disconnect", "drop_oldest", "coalesce"]
"""What happens to a client that takes less than it is sent: it is cut off and continues from
the history; or it misses the oldest; or of those with the same key it gets the newest."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far a reader of a channel has come: it saw everything up to this offset."""

    epoch: str
    offset: int


@dataclass(slots=True)
class Publication:
    """One thing that was published in a channel.

    Attributes:
        type: A word of the namespace's, never text of a user.
        data: The event as JSON text; serialised once, wherever it was published.
        at: When, as RFC 3339 text.
        position: None for what is told now and never again, such as who came and went.
        key: What a newer publication of the same key replaces for a slow reader.
    """

    channel: str
    type: str
    data: str
    at: str
    position: Position | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Slice:
    """What a channel's history has after a position, and where the channel is.

    Attributes:
        is_whole: Everything after the position asked for is in here. If not, nothing is.
    """

    position: Position
    publications: list[Publication]
    is_whole: bool


@dataclass(frozen=True, slots=True)
class History:
    """How much a namespace remembers in the broker: so many, for so long."""

    size: int = 300
    age: timedelta = timedelta(hours=24)


MaySee = Callable[[Principal, str, Registry], Awaitable[bool]]
"""Takes who asks, the channel's key and the services; says whether they may subscribe."""

Begins = Callable[[Principal, str, Registry], Awaitable[Position | None]]
"""Takes the same; says up to where the channel is not for them; nothing: all of it is."""


async def nobody(_user: Principal, _key: str, _services: Registry) -> bool:
    """Let nobody subscribe: the namespace is for programs."""
    return False


async def everybody(_user: Principal, _key: str, _services: Registry) -> bool:
    """Let everybody subscribe who is signed in."""
    return True


@dataclass(frozen=True, kw_only=True)
class Namespace:
    """A kind of channels. Declare it as a global of a module, as tasks are.

    ::

        prices = Namespace(name="prices", events={"price": Price}, may_see=everybody)
        ...
        await tasuki.publish("prices:JPY", Price(value=7))

    Attributes:
        events: The model of each event, by its type.
        may_see: Who may subscribe.
        begins: Where the channel begins for a user, if not with its history; asked when they
            subscribe. What was before is not sent, whatever position they come back with.
        has_keys: False when there is only one channel, the name itself.
        history: What the broker keeps; none: it is told now and never again.
        from_table: The history is a table, and publications are its rows; see `Tables`.
        when_slow: What happens to a client that does not keep up.
        key_of: For ``coalesce``: which events replace which.
        hints: Which events are made of notices (see `tasuki.realtime.hints`), and of which: the
            beginning of a notice's key, by the event's type; the channel's key is its end.
    """

    name: str
    events: Mapping[str, type[BaseModel]]
    may_see: MaySee = nobody
    begins: Begins | None = None
    has_keys: bool = True
    history: History | None = field(default_factory=History)
    from_table: bool = False
    when_slow: WhenSlow = "disconnect"
    key_of: Callable[[BaseModel], str] | None = None
    hints: Mapping[str, str] = field(default_factory=dict)

    def type_of(self, event: BaseModel) -> str:
        """Return the type of an event.

        Raises:
            TypeError: It is none of this namespace's events.
        """
        for name, model in self.events.items():
            if type(event) is model:
                return name
        msg = f"{type(event).__name__} is no event of the namespace {self.name!r}"
        raise TypeError(msg)

    def channel(self, key: object = None) -> str:
        """Return the name of one of its channels."""
        return f"{self.name}:{key}" if self.has_keys else self.name


class UnknownChannel(NotFound):
    """There is no such channel, or the caller may not see it; the two look alike."""


class Namespaces:
    """All declared namespaces by name."""

    def __init__(self, *namespaces: Namespace) -> None:
        self._by_name: dict[str, Namespace] = {}
        for namespace in namespaces:
            if self._by_name.setdefault(namespace.name, namespace) is not namespace:
                msg = f"two namespaces are named {namespace.name!r}"
                raise ValueError(msg)

    def __iter__(self) -> Any:
        """Go through them in the order of their names."""
        return iter([self._by_name[name] for name in sorted(self._by_name)])

    def of(self, channel: str) -> Namespace:
        """Return the namespace of a channel.

        Raises:
            UnknownChannel: It has none, or is no name of a channel at all.
        """
        return self.read(channel)[0]

    def read(self, channel: str) -> tuple[Namespace, str]:
        """Return a channel's namespace and key; the key is empty if there is only one.

        Raises:
            UnknownChannel: As `of`.
        """
        found = _CHANNEL.fullmatch(channel)
        namespace = self._by_name.get(found[1]) if found else None
        if found is None or namespace is None or namespace.has_keys != (found[2] is not None):
            raise UnknownChannel(f"There is no channel {channel[:100]!r} for you.")
        return namespace, found[2] or ""
