"""Who is connected, asked of all web processes; and sending somebody away, wherever they are.

Each web process, a node, is a client of two channels: one that all of them hear, and one of its
own, in which it is answered. Nothing is kept anywhere, so it costs nothing while nobody looks.
"""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel

from tasuki.core.background import Background
from tasuki.core.clock import utc_now
from tasuki.core.errors import NotFound, Unavailable
from tasuki.core.ids import new_secret
from tasuki.core.logging import get_logger
from tasuki.realtime.channels import Namespace, Publication
from tasuki.realtime.connections import KICKED, Connection, ConnectionManager
from tasuki.realtime.feed import Places, Subscription
from tasuki.realtime.outbox import Outbox
from tasuki.realtime.publisher import Publisher
from tasuki.realtime.schemas import ConnectionOut, NodeOut

log = get_logger(__name__)

MOST_SHOWN = 200
"""Connections, and channels, that one node tells of; the newest, and those with most clients."""
_MOST_NODES = 1_000
_ANSWERS_WITHIN_S = 1.0
_QUIET_S = 0.2  # so long new nodes may take to answer once those that were there before have


class Ask(BaseModel):
    """All nodes: tell the asking one."""

    question: str
    node: str
    user: str | None
    channel: str | None


class Told(BaseModel):
    """One node's answer."""

    question: str
    node: NodeOut
    connections: list[ConnectionOut]
    channels: dict[str, int]


class Kick(BaseModel):
    """A node: end this connection."""

    question: str
    node: str
    connection: int


class Kicked(BaseModel):
    """It is ended, or there is none."""

    question: str
    found: bool


_ALL = "node:all"
_EVENTS: dict[str, type[BaseModel]] = {"ask": Ask, "told": Told, "kick": Kick, "kicked": Kicked}

NODES = Namespace(name="node", events=_EVENTS, history=None)
"""``node:ID`` and ``node:all``: how web processes talk to each other. No client hears it."""


@dataclass(frozen=True, slots=True)
class _AsItIs:
    """A format of nodes: type and data, in a line."""

    has_places: bool = False

    def publication(self, publication: Publication, places: Places) -> bytes:
        del places
        return f"{publication.type} {publication.data}".encode()

    def reset(self, channels: Sequence[str], places: Places) -> None:
        del channels, places


class _Ear:
    """A wire that ends in this process."""

    is_writable = True
    on_writable: Callable[[], None] | None = None

    def __init__(self, hear: Callable[[BaseModel], None]) -> None:
        self._hear = hear

    def write(self, parts: Sequence[bytes]) -> None:
        for part in parts:
            kind, _, data = part.partition(b" ")
            self._hear(_EVENTS[kind.decode()].model_validate_json(data))


class Nodes:
    """This web process among the others.

    Args:
        lag_s: Tells how long a message of the broker is on its way to this process.
    """

    def __init__(
        self, *, manager: ConnectionManager, publisher: Publisher, lag_s: Callable[[], float]
    ) -> None:
        self.id = new_secret()[:12]
        self._manager = manager
        self._publisher = publisher
        self._lag_s = lag_s
        self._started_at = utc_now()
        self._questions: dict[str, asyncio.Queue[BaseModel]] = {}
        self._others: set[str] | None = None  # who answered last; None: never asked
        self._answering = Background()

    async def run_for_ever(self) -> None:
        """Hear what other nodes ask until cancelled."""
        subscription = Subscription(
            channels=(_ALL, NODES.channel(self.id)),
            format=_AsItIs(),
            outbox=Outbox(_Ear(self._hear), self._manager.flusher, on_full=lambda: None),
            on_begun=lambda _: None,
            on_lost=lambda: None,
        )
        subscription.outbox.open()
        while True:
            try:
                await self._manager.hub.attach(subscription, {})
                break
            except Unavailable:
                await asyncio.sleep(_ANSWERS_WITHIN_S)
        try:
            await asyncio.Event().wait()
        finally:
            self._manager.hub.detach(subscription)
            await self._answering.close()

    async def ask(self, *, user: str | None = None, channel: str | None = None) -> list[Told]:
        """Return what each node tells, those that answer within a second.

        It returns earlier if all have answered that did the last time.

        Args:
            user: Only the connections of the user with this name.
            channel: Only those that have subscribed to this channel.

        Raises:
            Unavailable: The broker does not answer.
        """
        question = new_secret()
        asked = Ask(question=question, node=self.id, user=user, channel=channel)
        told: list[Told] = []
        async with self._asking(question, _ALL, asked) as answers:
            until = time.monotonic() + _ANSWERS_WITHIN_S
            while answer := await _next(answers, self._patience(told, until)):
                if isinstance(answer, Told):
                    told.append(answer)
        self._others = {one.node.id for one in told}
        return told

    async def kick(self, connection_id: str) -> None:
        """End a connection, wherever it is.

        Raises:
            NotFound: There is none such.
            Unavailable: The broker does not answer.
        """
        node, _, number = connection_id.rpartition(".")
        question = new_secret()
        # The number alone says nothing: every node has a first connection.
        if node and NODES.channel(node) != _ALL and number.isascii() and number.isdigit():
            kick = Kick(question=question, node=self.id, connection=int(number[:15]))
            async with self._asking(question, NODES.channel(node), kick) as answers:
                answer = await _next(answers, _ANSWERS_WITHIN_S)
            if isinstance(answer, Kicked) and answer.found:
                return
        raise NotFound(f"There is no connection {connection_id[:40]!r}.")

    def _patience(self, told: Sequence[Told], until: float) -> float:
        """Return how long to wait for the next answer."""
        left = max(0.0, until - time.monotonic())
        is_enough = self._others is not None and self._others <= {one.node.id for one in told}
        return min(left, _QUIET_S) if is_enough else left

    @asynccontextmanager
    async def _asking(
        self, question: str, channel: str, asked: BaseModel
    ) -> AsyncGenerator[asyncio.Queue[BaseModel]]:
        """Ask, and gather the answers as long as the block runs."""
        answers = self._questions[question] = asyncio.Queue(_MOST_NODES)
        try:
            await self._publisher.publish(channel, asked)
            yield answers
        finally:
            del self._questions[question]

    def _hear(self, said: BaseModel) -> None:
        if isinstance(said, Ask):
            self._answer(said.node, self._report(said))
        elif isinstance(said, Kick):
            self._answer(said.node, Kicked(question=said.question, found=self._end(said)))
        elif isinstance(said, Told | Kicked) and said.question in self._questions:
            with contextlib.suppress(asyncio.QueueFull):
                self._questions[said.question].put_nowait(said)

    def _answer(self, node: str, answer: BaseModel) -> None:
        async def publish() -> None:
            try:
                await self._publisher.publish(NODES.channel(node), answer)
            except Unavailable:
                log.warning("node_not_answered", node=node)

        _ = self._answering.start(publish(), name="node-answer")

    def _end(self, kick: Kick) -> bool:
        for connection in self._manager.all:
            if connection.number == kick.connection:
                connection.end(KICKED, "sent away by an admin")
                return True
        return False

    def _report(self, asked: Ask) -> Told:
        everyone = self._manager.all
        channels = self._manager.channels()
        shown = [
            one
            for one in reversed(everyone)
            if asked.user in {None, one.user.username} and asked.channel in {None, *one.channels}
        ]
        return Told(
            question=asked.question,
            node=NodeOut(
                id=self.id,
                host=socket.gethostname(),
                pid=os.getpid(),
                started_at=self._started_at,
                connections=len(everyone),
                channels=len(channels),
                waiting_bytes=self._manager.waiting_bytes,
                broker_lag_s=self._lag_s(),
            ),
            connections=[self._shown(one) for one in shown[:MOST_SHOWN]],
            channels=dict(channels.most_common(MOST_SHOWN)),
        )

    def _shown(self, connection: Connection) -> ConnectionOut:
        return ConnectionOut(
            id=f"{self.id}.{connection.number}",
            kind=connection.kind,
            user_id=connection.user.id,
            username=connection.user.username,
            address=connection.address,
            connected_at=datetime.fromtimestamp(connection.began_at, tz=self._started_at.tzinfo),
            channels=list(connection.channels),
            waiting_bytes=connection.outbox.size,
        )


async def _next(answers: asyncio.Queue[BaseModel], within_s: float) -> BaseModel | None:
    try:
        async with asyncio.timeout(within_s):
            return await answers.get()
    except TimeoutError:
        return None
