"""What waits for a client: bounded, and by which rule something gives way."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from tasuki.realtime import outbox as outboxes
from tasuki.realtime.outbox import MOST_BYTES, MOST_FRAMES, Flusher, Frame, Outbox


@dataclass
class Wire:
    """A client that takes what it is sent, or nothing."""

    is_writable: bool = True
    on_writable: Callable[[], None] | None = None
    writes: list[list[bytes]] = field(default_factory=list)

    def write(self, parts: Sequence[bytes]) -> None:
        """See `outbox.Wire`."""
        self.writes.append(list(parts))

    def take_again(self) -> None:
        """Have room for more."""
        self.is_writable = True
        assert self.on_writable is not None
        self.on_writable()

    @property
    def taken(self) -> list[bytes]:
        """All frames, however they were put together."""
        return [frame for write in self.writes for frame in write]


@dataclass
class Client:
    """A wire, the outbox before it, and whether it was given up."""

    wire: Wire
    outbox: Outbox
    given_up: list[bool]


@pytest.fixture
async def client() -> Client:
    """A client that reads."""
    wire, given_up = Wire(), []
    outbox = Outbox(wire, Flusher(), on_full=lambda: given_up.append(True))
    outbox.open()
    return Client(wire, outbox, given_up)


async def turn() -> None:
    """Let one turn of the loop pass."""
    await asyncio.sleep(0)


async def test_what_gathers_in_one_turn_goes_out_in_one_write(client: Client) -> None:
    """A write costs more than what is written."""
    for number in range(5):
        client.outbox.put(Frame(b"%d" % number))
    assert client.wire.writes == []
    await turn()

    assert client.wire.writes == [[b"0", b"1", b"2", b"3", b"4"]]


async def test_nothing_is_written_before_the_response_has_begun() -> None:
    """It waits, and comes in order."""
    wire = Wire()
    outbox = Outbox(wire, Flusher(), on_full=lambda: None)
    outbox.put(Frame(b"early"))
    await turn()
    assert wire.writes == []

    outbox.open()

    assert wire.writes == [[b"early"]]


async def test_a_slow_client_gets_all_in_order_once_it_takes_more(client: Client) -> None:
    """As long as it is within the bounds."""
    client.wire.is_writable = False
    for number in range(100):
        client.outbox.put(Frame(b"%d" % number))
        await turn()
    assert client.wire.writes == []

    client.wire.take_again()

    assert client.wire.taken == [b"%d" % number for number in range(100)]
    assert client.given_up == []


@pytest.mark.parametrize(
    ("size", "count"), [(1, MOST_FRAMES + 1), (MOST_BYTES // 8, 9)], ids=["frames", "bytes"]
)
async def test_who_must_miss_nothing_is_cut_off_at_the_bound(
    client: Client, size: int, count: int
) -> None:
    """It comes back and goes on from the history; nothing waits for it meanwhile."""
    client.wire.is_writable = False
    for _ in range(count):
        client.outbox.put(Frame(b"x" * size))
        await turn()

    assert client.given_up == [True]
    assert client.outbox.size == 0


async def test_of_what_may_be_missed_the_oldest_gives_way(client: Client) -> None:
    """What must not be missed stays among it."""
    client.wire.is_writable = False
    client.outbox.put(Frame(b"kept"))
    for number in range(MOST_FRAMES + 50):
        client.outbox.put(Frame(b"%d" % number, "drop_oldest"))
        await turn()
    client.wire.take_again()

    assert client.given_up == []
    assert client.wire.taken[0] == b"kept"
    assert client.wire.taken[-1] == b"%d" % (MOST_FRAMES + 49)
    assert len(client.wire.taken) == MOST_FRAMES


async def test_of_the_same_kind_the_newest_is_enough(client: Client) -> None:
    """A progress bar needs no history."""
    client.wire.is_writable = False
    for number in range(MOST_FRAMES * 2):
        client.outbox.put(Frame(b"a%d" % number, "coalesce", key="a"))
        client.outbox.put(Frame(b"b%d" % number, "coalesce", key="b"))
        await turn()
    client.wire.take_again()

    newest = MOST_FRAMES * 2 - 1
    assert client.given_up == []
    assert client.wire.taken == [b"a%d" % newest, b"b%d" % newest]


async def test_who_takes_nothing_for_long_is_stuck(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with little that waits: the client is gone, and nobody said so."""
    client.wire.is_writable = False
    client.outbox.put(Frame(b"x"))
    await turn()
    assert not client.outbox.is_stuck

    monkeypatch.setattr(outboxes, "LONGEST_S", -1.0)  # as if that long had passed

    assert client.outbox.is_stuck
