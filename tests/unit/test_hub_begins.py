"""A channel that begins later for one subscriber than for another."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass

import pytest

from support.waiting import until
from tasuki.core.errors import Unavailable
from tasuki.core.notices import MemoryNotices
from tasuki.realtime.channels import Namespace, Namespaces, Position, Publication, Slice
from tasuki.realtime.feed import Subscription
from tasuki.realtime.formats import Flat
from tasuki.realtime.hub import Hub
from tasuki.realtime.memory import MemoryBroker
from tasuki.realtime.outbox import Flusher, Outbox

LINES = Namespace(name="lines", events={}, from_table=True)
CHANNEL = "lines:a"


class Wire:
    """Keeps what is written."""

    is_writable = True
    on_writable: Callable[[], None] | None = None

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, parts: Sequence[bytes]) -> None:
        """See `tasuki.realtime.outbox.Wire`."""
        self.written += parts


class Table:
    """Rows that are counted from 1; of what is not told by a notice nobody learns at once."""

    def __init__(self) -> None:
        self.newest = 0
        self.is_away = False
        self.asked_in_vain = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.asked = 0

    async def history(self, key: str, since: Position | None, *, most: int) -> Slice:
        """See `tasuki.realtime.feed.Table`."""
        if self.is_away:
            self.asked_in_vain += 1
            raise Unavailable("not now")
        first = self.newest if since is None else since.offset
        rows = [_line(key, offset) for offset in range(first + 1, self.newest + 1)][:most]
        found = Slice(Position("e", self.newest), rows, is_whole=True)
        self.asked += 1
        await self.may_answer.wait()
        return found


def _line(key: str, offset: int) -> Publication:
    data = f'{{"line":{offset}}}'
    return Publication(LINES.channel(key), "line", data, "now", Position("e", offset))


class Reader:
    """A subscriber."""

    def __init__(self, begins: int | None = None) -> None:
        self.wire = Wire()
        self.wanted = Subscription(
            channels=(CHANNEL,),
            format=Flat(frozenset({"line"}), bytes),
            outbox=Outbox(self.wire, Flusher(), on_full=lambda: None),
            begins={} if begins is None else {CHANNEL: Position("e", begins)},
            on_begun=lambda _: None,
            on_lost=lambda: None,
        )
        self.wanted.outbox.open()

    async def lines_until(self, last: int) -> list[int]:
        """Return the lines that came, once the last of them did."""
        wanted = b'{"type":"line","line":%d}' % last
        await until(lambda: wanted in self.wire.written, within=5)
        return [int(line[15:-1].removeprefix(b'"line":')) for line in self.wire.written]


@dataclass
class Parts:
    """A hub, and what is under it."""

    hub: Hub
    table: Table
    notices: MemoryNotices

    def write(self, *, is_told: bool) -> None:
        """Write a row."""
        self.table.newest += 1
        if is_told:
            self.notices.send(CHANNEL)


@pytest.fixture
async def parts() -> AsyncGenerator[Parts]:
    """A hub that somebody follows, when one line was written."""
    table, notices = Table(), MemoryNotices()
    hub = Hub(
        namespaces=Namespaces(LINES),
        broker=MemoryBroker(),
        notices=notices,
        tables={LINES.name: table},
    )
    table.newest = 1
    yield Parts(hub, table, notices)
    await hub.close()


async def test_a_process_that_is_late_does_not_tell_what_is_not_for_somebody(
    parts: Parts,
) -> None:
    """It learns of rows a moment after they were written; a new member may come within it."""
    old, new = Reader(), Reader(begins=3)
    await parts.hub.attach(old.wanted, {})
    parts.write(is_told=False)
    parts.write(is_told=False)

    await parts.hub.attach(new.wanted, {})
    parts.write(is_told=True)

    assert await new.lines_until(4) == [4]
    assert await old.lines_until(4) == [2, 3, 4]


async def test_an_old_position_leads_no_farther_back_than_the_channel_begins(
    parts: Parts,
) -> None:
    """Positions are no secret, and a client may send any."""
    parts.table.newest = 3
    old, new = Reader(), Reader(begins=2)
    await parts.hub.attach(old.wanted, {CHANNEL: Position("e", 0)})
    await parts.hub.attach(new.wanted, {CHANNEL: Position("e", 0)})

    assert await old.lines_until(3) == [1, 2, 3]
    assert await new.lines_until(3) == [3]


async def test_nobody_is_let_in_while_it_cannot_be_told_what_is_for_them(parts: Parts) -> None:
    """Rather ask them to come again than show them too much."""
    old, new = Reader(), Reader(begins=2)
    await parts.hub.attach(old.wanted, {})
    parts.write(is_told=False)
    parts.table.is_away = True
    attaching = asyncio.create_task(parts.hub.attach(new.wanted, {}))
    await until(lambda: parts.table.asked_in_vain > 0, within=5)
    await parts.hub.close()

    with pytest.raises(Unavailable):
        await attaching


async def test_what_is_written_while_a_process_opens_a_channel_is_told_at_once(
    parts: Parts,
) -> None:
    """Whoever comes first must not wait for the next look at the table."""
    reader = Reader()
    parts.table.may_answer.clear()
    attaching = asyncio.create_task(parts.hub.attach(reader.wanted, {}))
    await until(lambda: parts.table.asked > 0, within=5)
    parts.write(is_told=True)
    parts.table.may_answer.set()
    await attaching

    assert await reader.lines_until(2) == [2]
