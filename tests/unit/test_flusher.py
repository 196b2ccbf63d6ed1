"""When outboxes are written: some each turn, each with all that has gathered by then."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from tasuki.realtime.outbox import MOST_FRAMES, Flusher, Frame, Outbox


class FakeWire:
    """See `tasuki.realtime.outbox.Wire`."""

    def __init__(self) -> None:
        self.is_writable = True
        self.on_writable: Callable[[], None] | None = None
        self.is_broken = False
        self.written: list[list[bytes]] = []

    def write(self, parts: Sequence[bytes]) -> None:
        if self.is_broken:
            raise RuntimeError("broken")
        self.written.append(list(parts))

    @property
    def heard(self) -> list[bytes]:
        return [part for parts in self.written for part in parts]


class Party:
    """Clients of one loop."""

    def __init__(self, size: int) -> None:
        flusher = Flusher()
        self.wires = [FakeWire() for _ in range(size)]
        self.given_up: list[int] = []
        self.outboxes = [
            Outbox(wire, flusher, on_full=lambda place=place: self.given_up.append(place))  # type: ignore[misc]
            for place, wire in enumerate(self.wires)
        ]
        for outbox in self.outboxes:
            outbox.open()

    def tell(self, *numbers: int) -> list[bytes]:
        """Tell all of them; return what they should hear."""
        frames = [Frame(b"%d" % number) for number in numbers]
        for frame in frames:
            for outbox in self.outboxes:
                outbox.put(frame)
        return [frame.data for frame in frames]

    async def until_heard(self, wanted: list[bytes], *places: int) -> None:
        async with asyncio.timeout(5):
            while any(self.wires[place].heard != wanted for place in places):
                await asyncio.sleep(0)


async def test_what_is_told_while_others_are_served_goes_out_in_one_write() -> None:
    """A process that is late would otherwise get later, with a write for each message."""
    party = Party(100)
    wanted = party.tell(1)
    await asyncio.sleep(0)
    wanted += party.tell(2)

    await party.until_heard(wanted, *range(100))

    assert party.wires[0].written == [[b"1"], [b"2"]]
    assert party.wires[99].written == [[b"1", b"2"]]


async def test_nobody_waits_until_all_were_told() -> None:
    """A message to thousands must not hold a request up."""
    party = Party(1_000)
    party.tell(1)

    await asyncio.sleep(0)

    assert 0 < sum(1 for wire in party.wires if wire.written) < 100


async def test_a_flood_is_not_gathered_without_bound() -> None:
    """What is heard in one turn may be anything; it is written before it piles up."""
    party = Party(30)
    wanted = party.tell(*range(5_000))

    await party.until_heard(wanted, *range(30))

    assert max(len(parts) for parts in party.wires[29].written) <= 100
    assert party.given_up == []


async def test_a_client_that_takes_nothing_is_given_up_and_no_other() -> None:
    """It costs a bounded piece of memory, and its neighbours no message."""
    party = Party(2)
    party.wires[0].is_writable = False

    wanted = party.tell(*range(MOST_FRAMES + 200))
    await party.until_heard(wanted, 1)

    assert party.given_up == [0]
    assert party.wires[0].written == []
    assert party.outboxes[0].size < len(b"".join(wanted))


async def test_what_waited_is_sent_first_when_a_client_takes_more() -> None:
    """Order is promised, whatever happens on the way."""
    party = Party(1)
    wire = party.wires[0]
    wire.is_writable = False
    wanted = party.tell(1)
    await asyncio.sleep(0)
    wanted += party.tell(2)
    wire.is_writable = True
    assert wire.on_writable is not None

    wire.on_writable()
    wanted += party.tell(3)

    await party.until_heard(wanted, 0)


async def test_a_wire_that_breaks_stops_no_other(
    request: pytest.FixtureRequest,
) -> None:
    """One client's fault is one client's loss."""
    faults: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: faults.append(context["exception"]))
    request.addfinalizer(lambda: loop.set_exception_handler(None))
    party = Party(50)
    party.wires[3].is_broken = True

    wanted = party.tell(1)
    await party.until_heard(wanted, *(place for place in range(50) if place != 3))
    wanted += party.tell(2)
    await party.until_heard(wanted, *(place for place in range(50) if place != 3))

    assert [str(fault) for fault in faults] == ["broken", "broken"]
