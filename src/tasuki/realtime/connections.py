"""Who is connected to this process: the registry, and the pulse that finds the dead.

One task beats for all connections. Each has its place on a wheel of seconds and is looked at
when its second comes: it says that it lives, or asks the client whether it does.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping

from tasuki.core.errors import RateLimited, Unavailable
from tasuki.realtime.channels import Position, Publication
from tasuki.realtime.feed import Format, Subscription
from tasuki.realtime.hub import Hub
from tasuki.realtime.outbox import Flusher, Frame, Outbox, Wire
from tasuki.realtime.settings import RealtimeSettings
from tasuki.web.principal import Principal

_WHEEL_S = 64  # longer than any pause between two looks at a connection
_DRAIN_STEP_S = 0.05
_RECHECK_EVERY_S = 120.0  # whether a session has ended by the clock

ROTATED, SHUTDOWN, SLOW, NO_PONG, FLOOD, KICKED = 1001, 1012, 3008, 3012, 3013, 3503
"""Why a connection is ended: codes of RFC 6455, and of Centrifugo's protocol, in which clients
come back after those below 3500."""


class TooManyConnections(RateLimited):
    """The user has as many connections as one may have."""


class Connection(ABC):
    """One client of this process.

    Attributes:
        kind: ``websocket``, ``sse`` or ``jsonl``.
        address: Where the client is, as far as this process can see.
        number: Its own among all of this process; given when it is noted.
        format: How it is told of publications.
        ended_with: The code it was ended with; 0 as long as it goes on.
        recheck: Asks whether its user may still have it; see `tasuki.realtime.callers`.
    """

    kind: str

    def __init__(
        self,
        user: Principal,
        channels: tuple[str, ...],
        format: Format,  # noqa: A002  # its name
        *,
        wire: Wire,
        flusher: Flusher,
        address: str,
    ) -> None:
        self.number = 0
        self.address = address
        self.began_at = time.time()
        self.user = user
        self.channels = channels
        self.format = format
        self.outbox = Outbox(wire, flusher, on_full=self._fall_behind)
        self.ended_with = 0
        self.due = 0
        self.recheck: Callable[[], None] | None = None
        self.recheck_at = time.monotonic() + _RECHECK_EVERY_S
        self.stop_notices: Callable[[], None] | None = None
        self.subscription: Subscription | None = None

    @property
    def has_begun(self) -> bool:
        """Whether it is where its channels are; before, none of their places is true for it."""
        return self.subscription is not None

    @abstractmethod
    def beat(self) -> int:
        """Look after the client; return after how many seconds to do so again, 1 to 60."""

    def end(self, code: int, reason: str) -> None:
        """Tell the client to go, and let the one that serves it end; never blocks."""
        if not self.ended_with:
            self.ended_with = code
            self._end(code, reason)

    def _fall_behind(self) -> None:
        self.end(SLOW, "too slow")

    @abstractmethod
    def _end(self, code: int, reason: str) -> None:
        """See `end`; called once."""


class ConnectionManager:
    """The connections of this process; noted and forgotten by those who serve them.

    What is sent here reaches this process's clients, at once and without a position. Publish in a
    channel to reach those of all processes, and those who come back later.
    """

    def __init__(self, hub: Hub, settings: RealtimeSettings) -> None:
        self.hub = hub
        self.flusher = Flusher()
        self._settings = settings
        self._all: dict[Connection, None] = {}
        self._by_user: dict[int, dict[Connection, None]] = defaultdict(dict)
        self._wheel: list[set[Connection]] = [set() for _ in range(_WHEEL_S)]
        self._second = 0
        self._noted = 0
        self._is_draining = False

    @property
    def all(self) -> list[Connection]:
        """All connections, the oldest first."""
        return list(self._all)

    @property
    def waiting_bytes(self) -> int:
        """Bytes that wait for clients that do not take them."""
        return sum(outbox.size for outbox in self.flusher.blocked)

    def channels(self) -> Counter[str]:
        """Return the channels that somebody here has subscribed to, and how many have."""
        return Counter(channel for one in self._all for channel in one.channels)

    def connect(self, connection: Connection) -> None:
        """Note a connection.

        Raises:
            TooManyConnections: Its user has enough of them.
            Unavailable: The process stops, or has as many as it can serve.
        """
        if self._is_draining:
            raise Unavailable("This server stops; connect again.", retry_after_s=1)
        if len(self._all) >= self._settings.connections:
            raise Unavailable("This server is full; try again.", retry_after_s=5)
        most = self._settings.connections_per_user
        if len(self._by_user.get(connection.user.id, ())) >= most:
            raise TooManyConnections(
                f"You have {most} connections already; close one.", retry_after_s=5
            )
        self._noted += 1
        connection.number = self._noted
        self._all[connection] = None
        self._by_user[connection.user.id][connection] = None
        self._place(connection, 1 + len(self._all) % 15)

    async def attach(
        self, connection: Connection, wanted: Subscription, since: Mapping[str, Position]
    ) -> None:
        """Begin to send a client what is published in its channels; see `Hub.attach`.

        It ends with the connection.
        """
        await self.hub.attach(wanted, since)
        connection.subscription = wanted

    def disconnect(self, connection: Connection) -> None:
        """Forget a connection."""
        if connection not in self._all:
            return
        del self._all[connection]
        mine = self._by_user[connection.user.id]
        del mine[connection]
        if not mine:
            del self._by_user[connection.user.id]
        self._wheel[connection.due].discard(connection)
        if connection.stop_notices is not None:
            connection.stop_notices()
        if connection.subscription is not None:
            self.hub.detach(connection.subscription)
        connection.outbox.close()
        self.hub.counts.ended[connection.ended_with] += 1

    def send_personal(self, user_id: int, publication: Publication) -> None:
        """Tell all clients of a user."""
        self._send(self._by_user.get(user_id, ()), publication)

    def send_room(self, channel: str, publication: Publication) -> None:
        """Tell all clients that have subscribed to a channel."""
        self._send((one for one in self._all if channel in one.channels), publication)

    def broadcast(self, publication: Publication) -> None:
        """Tell all clients."""
        self._send(self._all, publication)

    async def beat_for_ever(self) -> None:
        """Look after the connections, each when its second has come."""
        next_at = time.monotonic()
        while True:
            next_at += 1
            await asyncio.sleep(max(0.0, next_at - time.monotonic()))
            self.beat()

    def beat(self) -> None:
        """Let one second pass."""
        self._second = (self._second + 1) % _WHEEL_S
        due, self._wheel[self._second] = self._wheel[self._second], set()
        now = time.monotonic()
        for connection in due:
            self._place(connection, connection.beat())
            if connection.recheck is not None and now >= connection.recheck_at:
                connection.recheck_at = now + _RECHECK_EVERY_S
                connection.recheck()
        for outbox in [one for one in self.flusher.blocked if one.is_stuck]:
            outbox.give_up()

    async def drain(self, *, within_s: float) -> None:
        """Send all clients away, evenly over a time, so that they do not come back as one."""
        self._is_draining = True
        waiting = self.all
        steps = max(1, round(within_s / _DRAIN_STEP_S))
        for step in range(steps):
            for connection in waiting[step::steps]:
                connection.end(SHUTDOWN, "the server restarts")
            if step < steps - 1 and self._all:
                await asyncio.sleep(_DRAIN_STEP_S)

    def _send(self, connections: Iterable[Connection], publication: Publication) -> None:
        frames: dict[Format, Frame | None] = {}
        for connection in connections:
            kind = connection.format
            if kind not in frames:
                data = kind.publication(publication, self.hub.places(connection.channels))
                frames[kind] = Frame(data) if data is not None else None
            frame = frames[kind]
            if frame is not None and connection.has_begun:
                connection.outbox.put(frame)

    def _place(self, connection: Connection, pause_s: int) -> None:
        connection.due = (self._second + pause_s) % _WHEEL_S
        self._wheel[connection.due].add(connection)
