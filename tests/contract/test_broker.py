"""What a broker of publications promises, within a process and across processes."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
import redis.asyncio as redis

from support.waiting import until
from tasuki.core.errors import Unavailable
from tasuki.realtime.broker import Broker
from tasuki.realtime.channels import History, Position, Publication
from tasuki.realtime.memory import MemoryBroker
from tasuki.realtime.redis import RedisBroker

HISTORY = History(size=10, age=timedelta(minutes=1))


@dataclass
class Ear:
    """Notes what it is told."""

    came: list[Publication] = field(default_factory=list)
    missed_times: int = 0

    def heard(self, publication: Publication) -> None:
        """See `Listener`."""
        self.came.append(publication)

    def missed(self) -> None:
        """See `Listener`."""
        self.missed_times += 1


@dataclass
class Ends:
    """Who publishes and who hears: one object in a process, two of them across processes."""

    sender: Broker
    receiver: Broker
    ear: Ear


@pytest.fixture(params=["memory", "redis"])
async def ends(request: pytest.FixtureRequest, redis_url: str) -> AsyncGenerator[Ends]:
    """Both adapters, each in turn."""
    ear = Ear()
    if request.param == "memory":
        broker = MemoryBroker()
        broker.listen(ear)
        yield Ends(broker, broker, ear)
        return
    sender, receiver = RedisBroker(redis_url, listening=False), RedisBroker(redis_url)
    receiver.listen(ear)
    for one in (sender, receiver):
        await one.start()
    yield Ends(sender, receiver, ear)
    for one in (sender, receiver):
        await one.close()


def news(data: str = "{}", channel: str = "chat:a", key: str | None = None) -> Publication:
    """Return a publication that was not published yet."""
    return Publication(channel, "chat", data, "2026-11-24T00:00:00Z", key=key)


async def publish(ends: Ends, *datas: str, channel: str = "chat:a") -> list[Position]:
    """Publish one after the other."""
    positions = [await ends.sender.publish(news(data, channel), history=HISTORY) for data in datas]
    return [position for position in positions if position is not None]


async def test_who_subscribed_hears_everything_in_order_with_its_position(ends: Ends) -> None:
    """Offsets grow by one, the epoch stays, and what is heard is what was published."""
    await ends.receiver.subscribe("chat:a")

    await publish(ends, '{"n":1}', '{"n":"a b\\nc"}', '{"n":3}')

    await until(lambda: len(ends.ear.came) == 3, within=5)
    assert [one.data for one in ends.ear.came] == ['{"n":1}', '{"n":"a b\\nc"}', '{"n":3}']
    positions = [one.position for one in ends.ear.came if one.position]
    assert [position.offset for position in positions] == [1, 2, 3]
    assert len({position.epoch for position in positions}) == 1
    assert {(one.channel, one.type, one.at) for one in ends.ear.came} == {
        ("chat:a", "chat", "2026-11-24T00:00:00Z")
    }


async def test_who_did_not_subscribe_hears_nothing(ends: Ends) -> None:
    """Nor does who has unsubscribed; other channels go on."""
    await ends.receiver.subscribe("chat:a")
    await ends.receiver.subscribe("chat:b")
    ends.receiver.unsubscribe("chat:b")
    await ends.receiver.subscribe("chat:c")  # in its turn: `b` is done by then

    await publish(ends, "1", channel="chat:b")
    await publish(ends, "2", channel="chat:a")

    await until(lambda: bool(ends.ear.came), within=5)
    assert [one.data for one in ends.ear.came] == ["2"]


async def test_the_history_gives_what_came_after_a_position(ends: Ends) -> None:
    """All of it, or it says that it cannot; never a part."""
    first, second, third = await publish(ends, "1", "2", "3")

    some = await ends.receiver.history("chat:a", first, most=10)
    none = await ends.receiver.history("chat:a", third, most=10)
    too_many = await ends.receiver.history("chat:a", first, most=1)
    only_where = await ends.receiver.history("chat:a", None, most=10)

    assert (some.is_whole, some.position) == (True, third)
    assert [(one.data, one.position) for one in some.publications] == [("2", second), ("3", third)]
    assert (none.is_whole, none.publications) == (True, [])
    assert (too_many.is_whole, too_many.publications) == (False, [])
    assert (only_where.position, only_where.publications) == (third, [])


async def test_what_is_not_kept_any_more_is_not_made_up(ends: Ends) -> None:
    """The oldest go; who needs them is told that they are gone."""
    positions = await publish(ends, *(str(number) for number in range(15)))

    assert not (await ends.receiver.history("chat:a", positions[3], most=100)).is_whole
    assert (await ends.receiver.history("chat:a", positions[4], most=100)).is_whole


@pytest.mark.parametrize("offset", [5, 10**12])
async def test_a_position_of_another_life_is_not_trusted(ends: Ends, offset: int) -> None:
    """Neither one of another epoch nor one from the future."""
    (now,) = await publish(ends, "1")

    strange = await ends.receiver.history("chat:a", Position("another", 1), most=10)
    later = await ends.receiver.history("chat:a", Position(now.epoch, offset), most=10)

    assert (strange.is_whole, strange.position) == (False, now)
    assert not later.is_whole


async def test_a_channel_where_nothing_was_published_has_a_place_to_begin(ends: Ends) -> None:
    """Who comes before the first publication misses none of them."""
    before = (await ends.receiver.history("chat:new", None, most=10)).position

    await publish(ends, "1", channel="chat:new")

    after = await ends.receiver.history("chat:new", before, most=10)
    assert (after.is_whole, [one.data for one in after.publications]) == (True, ["1"])


async def test_published_again_under_the_same_word_nothing_happens(ends: Ends) -> None:
    """Whoever does not know whether it was published may publish again."""
    await ends.receiver.subscribe("chat:a")

    first = await ends.sender.publish(news("1"), history=HISTORY, once="row-7")
    again = await ends.sender.publish(news("1"), history=HISTORY, once="row-7")
    other = await ends.sender.publish(news("2"), history=HISTORY, once="row-8")

    assert first == again
    assert other is not None
    assert first is not None
    assert other.offset == first.offset + 1
    await until(lambda: len(ends.ear.came) == 2, within=5)


async def test_what_has_no_history_has_no_position(ends: Ends) -> None:
    """It is told now and never again; a key says what it replaces."""
    await ends.receiver.subscribe("chat:a")

    position = await ends.sender.publish(news("1", key="typing:7"), history=None)

    await until(lambda: bool(ends.ear.came), within=5)
    assert position is None
    assert (ends.ear.came[0].position, ends.ear.came[0].key) == (None, "typing:7")


@pytest.fixture
async def two(redis_url: str) -> AsyncGenerator[Ends]:
    """Two processes on a server that is going to be mistreated."""
    ear = Ear()
    sender, receiver = RedisBroker(redis_url), RedisBroker(redis_url)
    receiver.listen(ear)
    for one in (sender, receiver):
        await one.start()
    await receiver.subscribe("chat:a")
    yield Ends(sender, receiver, ear)
    for one in (sender, receiver):
        await one.close()


async def test_a_lost_connection_is_told_and_found_again(two: Ends, redis_url: str) -> None:
    """redis-py alone would connect again without a word. What came meanwhile is in the history."""
    (first,) = await publish(two, "1")
    await until(lambda: len(two.ear.came) == 1, within=5)

    async with redis.Redis.from_url(redis_url) as other:
        await other.client_kill_filter(_type="pubsub")
        await publish(two, "2")

    await until(lambda: two.ear.missed_times == 1, within=5)
    missed = await two.receiver.history("chat:a", first, most=10)
    assert [one.data for one in missed.publications] == ["2"]
    await publish(two, "3")
    await until(lambda: two.ear.came[-1].data == "3", within=5)


async def wiped(client: "redis.Redis") -> None:
    """Forget all data, as FLUSHALL by mistake does."""
    await client.flushall()


async def restarted(client: "redis.Redis") -> None:
    """Forget what a restart forgets, and keep what was written to disk before."""
    await client.script_flush()


@pytest.mark.parametrize("forget", [wiped, restarted])
async def test_a_server_that_forgot_begins_a_new_epoch(
    two: Ends, redis_url: str, forget: Callable[["redis.Redis"], Awaitable[None]]
) -> None:
    """It might give out offsets a second time; nobody must take these for the first ones."""
    (before,) = await publish(two, "1")

    async with redis.Redis.from_url(redis_url) as other:
        await forget(other)
    after = await publish(two, "2", "3")

    assert [position.offset for position in after] == [1, 2]
    assert after[0].epoch != before.epoch
    assert not (await two.receiver.history("chat:a", before, most=10)).is_whole


async def test_many_channels_that_are_read_at_once_share_a_few_connections(
    redis_url: str,
) -> None:
    """After an outage each process reads all of its channels; the server's clients are limited."""
    broker = RedisBroker(redis_url, listening=False)
    async with redis.from_url(redis_url) as server:
        before = len(await server.client_list())
        await asyncio.gather(*(broker.history(f"chat:{n}", None, most=10) for n in range(400)))
        after = len(await server.client_list())
    await broker.close()

    assert after - before < 100


async def test_no_server_is_an_error_that_says_so() -> None:
    """Nothing waits for ever."""
    broker = RedisBroker("redis://127.0.0.1:9", listening=True)
    broker.listen(Ear())
    await broker.start()
    async with asyncio.timeout(10):
        with pytest.raises(Unavailable):
            await broker.publish(news(), history=HISTORY)
        with pytest.raises(Unavailable):
            await broker.history("chat:a", None, most=1)
        with pytest.raises(Unavailable):
            await broker.subscribe("chat:a")
    await broker.close()
