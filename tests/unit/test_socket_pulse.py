"""The pulse of a socket: who is silent is asked, who does not answer is cut off."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from support.sockets import PriceSession
from tasuki.core.notices import MemoryNotices
from tasuki.realtime.channels import Namespaces
from tasuki.realtime.connections import NO_PONG, ConnectionManager
from tasuki.realtime.hub import Hub
from tasuki.realtime.memory import MemoryBroker
from tasuki.realtime.settings import RealtimeSettings
from tasuki.realtime.sockets import SocketConnection
from tasuki.web.principal import Principal


class Wire:
    """Notes what it is told; hears what a test says it hears."""

    is_writable = True
    on_writable: Callable[[], None] | None = None

    def __init__(self) -> None:
        self.heard_at = time.monotonic() - 100
        self.told: list[Any] = []

    def write(self, parts: Sequence[bytes]) -> None:
        self.told += parts

    def frame(self, message: bytes) -> bytes:
        return message

    def ping(self) -> None:
        self.told.append("ping")

    def close(self, code: int, reason: str) -> None:
        del reason
        self.told.append(code)

    def abort(self) -> None:
        self.told.append("abort")


@pytest.fixture
async def manager() -> ConnectionManager:
    """A registry that nobody else is in."""
    hub = Hub(namespaces=Namespaces(), broker=MemoryBroker(), notices=MemoryNotices(), tables={})
    return ConnectionManager(hub, RealtimeSettings())


def connection(manager: ConnectionManager, wire: Wire) -> SocketConnection:
    """Return a socket that was silent for long."""
    user = Principal(id=1, username="alice")
    return SocketConnection(user, PriceSession(user, "JPY"), wire, manager)


async def test_who_was_silent_is_asked_and_has_eight_seconds(manager: ConnectionManager) -> None:
    """A client that vanished without a word leaves nothing else to see."""
    wire = Wire()
    silent = connection(manager, wire)

    assert silent.beat() == 8
    assert wire.told == ["ping"]
    silent.beat()
    assert wire.told == ["ping", NO_PONG, "abort"]


async def test_who_answers_is_left_alone_until_it_is_silent_again(
    manager: ConnectionManager,
) -> None:
    """Once in 25 seconds, as routers forget idle connections after half a minute at the least."""
    wire = Wire()
    living = connection(manager, wire)

    pauses = [living.beat()]
    wire.heard_at = time.monotonic()
    pauses.append(living.beat())
    wire.heard_at -= 17
    pauses.append(living.beat())

    assert pauses == [8, 17, 8]
    assert wire.told == ["ping", "ping"]


async def test_who_talks_is_not_asked(manager: ConnectionManager) -> None:
    """Its messages say that it lives."""
    wire = Wire()
    wire.heard_at = time.monotonic()

    assert connection(manager, wire).beat() == 17
    assert wire.told == []
