"""Who is connected to this process: the registry, and the pulse that finds the dead.

One task beats for all connections. Each has its place on a wheel of seconds and is looked at
when its second comes: it says that it lives, or asks the client whether it does.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Sequence
from uuid import UUID

from tasuki.core.errors import RateLimited, Unavailable
from tasuki.core.ids import new_id
from tasuki.core.logging import get_logger
from tasuki.realtime.channels import Publication
from tasuki.realtime.feed import Format
from tasuki.realtime.hub import Hub
from tasuki.realtime.outbox import Flusher, Frame, Outbox
from tasuki.web.principal import Principal

log = get_logger(__name__)

MOST_OF_USER = 20
"""Connections that a user may have to one process."""
_WHEEL_S = 64  # longer than any pause between two looks at a connection
_DRAIN_STEP_S = 0.05

SHUTDOWN, SLOW, NO_PONG, KICKED = 1012, 3008, 3012, 3503
"""Why a socket is closed: RFC 6455's "service restart", and three of Centrifugo's codes. Clients
come back after those below 3500."""


class TooManyConnections(RateLimited):
    """The user has as many connections as one may have."""


class Connection(ABC):
    """One client of this process, by WebSocket or by a stream over HTTP.

    Attributes:
        kind: ``websocket``, ``sse`` or ``jsonl``, for those who look.
        address: Where the client is, as far as we know.
    """

    kind: str

    def __init__(
        self,
        user: Principal,
        channels: tuple[str, ...],
        format: Format,  # noqa: A002  # what it is called everywhere
        outbox: Outbox,
        *,
        address: str,
    ) -> None:
        self.id: UUID = new_id()
        self.user = user
        self.address = address
        self.began_at = time.time()
        self.channels = channels
        self.format = format
        self.outbox = outbox
        self.due = 0
        self.stop_notices: Callable[[], None] | None = None

    @abstractmethod
    def beat(self) -> int:
        """Look after the client; return after how many seconds to do so again, 1 to 60."""

    @abstractmethod
    def end(self, code: int, reason: str) -> None:
        """Tell the client to go, and let the one that serves it end; never blocks."""


class ConnectionManager:
    """The connections of this process.

    ``connect`` and ``disconnect`` are called by those who serve them. What is sent here reaches
    this process's clients only; publish in a channel to reach all.
    """

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.flusher = Flusher()
        self.slow_disconnects = 0
        self._by_id: dict[UUID, Connection] = {}
        self._by_user: dict[int, dict[Connection, None]] = defaultdict(dict)
        self._wheel: list[set[Connection]] = [set() for _ in range(_WHEEL_S)]
        self._second = 0
        self._is_draining = False

    @property
    def all(self) -> list[Connection]:
        """All connections, the oldest first."""
        return list(self._by_id.values())

    @property
    def waiting_bytes(self) -> int:
        """Bytes that wait for clients that do not take them."""
        return sum(outbox.size for outbox in self.flusher.blocked)

    def find(self, connection_id: UUID) -> Connection | None:
        """Return a connection, if it is of this process."""
        return self._by_id.get(connection_id)

    def of_user(self, user_id: int) -> list[Connection]:
        """Return the connections of a user."""
        return list(self._by_user.get(user_id, ()))

    def connect(self, connection: Connection) -> None:
        """Note a connection.

        Raises:
            TooManyConnections: Its user has enough of them.
            Unavailable: The process stops.
        """
        if self._is_draining:
            raise Unavailable("This server stops; connect again.", retry_after_s=1)
        if len(self._by_user.get(connection.user.id, ())) >= MOST_OF_USER:
            raise TooManyConnections(
                f"You have {MOST_OF_USER} connections already; close one.", retry_after_s=5
            )
        self._by_id[connection.id] = connection
        self._by_user[connection.user.id][connection] = None
        self._place(connection, 1 + len(self._by_id) % 15)

    def disconnect(self, connection: Connection) -> None:
        """Forget a connection."""
        if self._by_id.pop(connection.id, None) is None:
            return
        mine = self._by_user[connection.user.id]
        del mine[connection]
        if not mine:
            del self._by_user[connection.user.id]
        self._wheel[connection.due].discard(connection)
        if connection.stop_notices is not None:
            connection.stop_notices()
        connection.outbox.close()

    def send_personal(self, user_id: int, publication: Publication) -> int:
        """Tell a user's clients here; return how many these are."""
        return self._send(self.of_user(user_id), publication)

    def send_room(self, channel: str, publication: Publication) -> int:
        """Tell the clients here that have subscribed to a channel; return how many these are."""
        return self._send([one for one in self.all if channel in one.channels], publication)

    def broadcast(self, publication: Publication) -> int:
        """Tell all clients here; return how many these are."""
        return self._send(self.all, publication)

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
        for connection in due:
            self._place(connection, connection.beat())
        for outbox in [one for one in self.flusher.blocked if one.is_stuck]:
            self.slow_disconnects += 1
            outbox.give_up()

    async def drain(self, *, within_s: float) -> None:
        """Send all clients away, evenly over a time, so that they do not come back as one."""
        self._is_draining = True
        waiting = self.all
        steps = max(1, round(within_s / _DRAIN_STEP_S))
        for step in range(steps):
            for connection in waiting[step::steps]:
                connection.end(SHUTDOWN, "the server restarts")
            if step < steps - 1 and self._by_id:
                await asyncio.sleep(_DRAIN_STEP_S)

    def _send(self, connections: Sequence[Connection], publication: Publication) -> int:
        made: dict[Format, Frame | None] = {}
        for connection in connections:
            kind = connection.format
            if kind not in made:
                data = kind.publication(publication, self.hub.places(connection.channels))
                made[kind] = Frame(data) if data is not None else None
            frame = made[kind]
            if frame is not None:
                connection.outbox.put(frame)
        return len(connections)

    def _place(self, connection: Connection, pause_s: int) -> None:
        connection.due = (self._second + pause_s) % _WHEEL_S
        self._wheel[connection.due].add(connection)
