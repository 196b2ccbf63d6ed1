"""Fixtures: a system with short leases, and brokers that may be killed."""

from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from chaos.house import House
from support.brokers import BROKERS, Broker, own_broker


@pytest.fixture
async def house(tmp_path: Path, database_url: str, redis_url: str) -> AsyncGenerator[House]:
    """A system with nothing started yet."""
    async with House(tmp_path, database_url, redis_url).open() as made:
        yield made


@pytest.fixture(params=BROKERS)
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Broker]:
    """A broker of this test's own; each test that takes it runs on all of them."""
    with own_broker(request, request.param, tmp_path) as made:
        yield made


@pytest.fixture
async def house_on(
    tmp_path: Path, database_url: str, redis_url: str, broker: Broker
) -> AsyncGenerator[House]:
    """A system on that broker, with nothing started yet."""
    made = House(tmp_path, database_url, broker.redis_url or redis_url, broker_url=broker.url)
    async with made.open():
        yield made
