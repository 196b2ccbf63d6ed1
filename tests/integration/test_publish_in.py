"""Publishing together with a transaction: both are there, or neither."""

from dataclasses import dataclass, field

import pytest

from support.channels import PRICES, Price
from tasuki.core.database import Database, Session
from tasuki.core.errors import Unavailable
from tasuki.core.notices import MemoryNotices
from tasuki.realtime.channels import History, Namespaces, Position, Publication
from tasuki.realtime.memory import MemoryBroker
from tasuki.realtime.publisher import Publisher
from tasuki.realtime.relay import Relay


@dataclass
class Awkward(MemoryBroker):
    """A broker that fails on demand, before or after it has taken a publication."""

    fails_after: list[bool] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    async def publish(
        self, publication: Publication, *, history: History | None, once: str | None = None
    ) -> Position | None:
        """Publish, or not."""
        if not self.fails_after:
            return await super().publish(publication, history=history, once=once)
        if self.fails_after.pop(0):
            await super().publish(publication, history=history, once=once)
        raise Unavailable("gone")


@dataclass
class Parts:
    """A publisher, the relay behind it, and the broker behind both."""

    database: Database
    broker: Awkward
    publisher: Publisher
    relay: Relay

    async def published(self) -> list[str]:
        """Return what the broker has."""
        first = (await self.broker.history("prices:a", None, most=100)).position
        since = Position(first.epoch, 0)
        return [
            one.data
            for one in (await self.broker.history("prices:a", since, most=100)).publications
        ]


@pytest.fixture
async def parts(database: Database) -> Parts:
    """Nothing runs by itself."""
    broker, namespaces, notices = Awkward(), Namespaces(PRICES), MemoryNotices()
    return Parts(
        database,
        broker,
        Publisher(namespaces=namespaces, broker=broker, notices=notices),
        Relay(
            database=database,
            broker=broker,
            namespaces=namespaces,
            notices=notices,
            epoch=_first,
        ),
    )


async def _first(_: Session) -> str:
    return "first"


async def _other(_: Session) -> str:
    return "other"


async def order(parts: Parts, *values: int) -> None:
    """Publish in a transaction that commits."""
    async with parts.database.unit_of_work() as session:
        for value in values:
            await parts.publisher.publish_in(session, "prices:a", Price(value=value))


async def test_what_a_transaction_publishes_comes_after_its_commit_in_order(parts: Parts) -> None:
    """Nothing is told that is not true yet."""
    await order(parts, 1, 2)
    assert await parts.published() == []

    await parts.relay.publish_some()

    assert await parts.published() == ['{"value":1}', '{"value":2}']
    assert await parts.relay.publish_some() is False


async def test_a_transaction_that_fails_has_published_nothing(parts: Parts) -> None:
    """Both are there, or neither."""

    async def sell() -> None:
        async with parts.database.unit_of_work() as session:
            await parts.publisher.publish_in(session, "prices:a", Price(value=1))
            raise RuntimeError("something of yours goes wrong")

    with pytest.raises(RuntimeError):
        await sell()

    await parts.relay.publish_some()

    assert await parts.published() == []


@pytest.mark.parametrize("is_taken", [False, True])
async def test_a_broker_that_fails_gets_it_again_and_takes_it_once(
    parts: Parts, is_taken: bool
) -> None:
    """Whether it had it already or not: each publication has its word."""
    await order(parts, 1, 2)
    parts.broker.fails_after = [is_taken]
    with pytest.raises(Unavailable):
        await parts.relay.publish_some()

    await parts.relay.publish_some()

    assert await parts.published() == ['{"value":1}', '{"value":2}']


async def test_one_relay_works_at_a_time(parts: Parts) -> None:
    """Two would bring a channel's events out of their order."""
    await order(parts, 1)
    async with parts.database.unit_of_work() as session:
        assert await parts.relay._outbox.hold(session)

        assert await parts.relay.publish_some() is None

    assert await parts.relay.publish_some() is False
    assert await parts.published() == ['{"value":1}']


async def test_a_database_that_is_made_anew_is_not_taken_for_the_old_one(parts: Parts) -> None:
    """Its rows count from 1 again, while the broker still knows the first ones."""
    await order(parts, 1)
    await parts.relay.publish_some()
    async with parts.database.driver() as connection:
        await connection.execute("ALTER SEQUENCE outbox_id_seq RESTART")
    parts.relay._origin, parts.relay._epoch = "", _other

    await order(parts, 2)
    await parts.relay.publish_some()

    assert await parts.published() == ['{"value":1}', '{"value":2}']
