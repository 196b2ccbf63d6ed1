"""Fixtures: real servers per test process, a fresh database per test, a system per module."""

from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest
import pytest_asyncio
import redis.asyncio as redis

from support.client import Client
from support.live import Live, live_settings, running_live
from support.rabbitmq import RabbitMq, need_rabbitmq
from support.servers import Servers, running_servers
from support.system import System
from tasuki.core.database import Database


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Generator[Servers]:
    """PostgreSQL and Valkey of this test process."""
    with running_servers(tmp_path_factory.mktemp("servers")) as running:
        yield running


@pytest.fixture
async def database_url(servers: Servers) -> AsyncGenerator[str]:
    """A fresh, migrated database."""
    url = await servers.create_database()
    yield url
    await servers.drop_database(url)


@pytest.fixture
async def database(database_url: str) -> AsyncGenerator[Database]:
    """Connections to a fresh database."""
    connected = Database(database_url, pool_size=5, name="tests")
    yield connected
    await connected.close()


@pytest.fixture
async def redis_url(servers: Servers) -> str:
    """An empty Valkey."""
    async with redis.Redis.from_url(servers.redis_url) as client:
        await client.flushall()
    return servers.redis_url


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Generator[RabbitMq]:
    """A RabbitMQ node, started for the first test that asks and killed after the last."""
    need_rabbitmq()
    with RabbitMq(tmp_path_factory.mktemp("rabbitmq")) as node:
        yield node


@pytest.fixture
def system(tmp_path: Path, database_url: str, redis_url: str) -> Generator[System]:
    """A system with nothing started yet; leases are short."""
    env = {"TASUKI_TASKS__LEASE_S": "2", "TASUKI_TASKS__RING_AGAIN_S": "1"}
    with System(tmp_path, database_url, redis_url, env) as made:
        yield made


@pytest.fixture
async def admin(system: System) -> AsyncGenerator[Client]:
    """The admin of a system whose web process was started."""
    if not system.url:
        system.web()
    async with Client(base_url=system.url, timeout=20) as client:
        yield await client.sign_in()


@pytest.fixture
async def live(tmp_path: Path, database_url: str, redis_url: str) -> AsyncGenerator[Live]:
    """The application and a worker in the test's own loop; work is done when a test says so."""
    async with running_live(live_settings(database_url, redis_url, tmp_path)) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Live]:
    """A `live` for all tests of a module that are marked with the loop of their module."""
    database_url = await servers.create_database()
    # Another database has counted its events here; those of this one would be taken for them.
    async with redis.Redis.from_url(servers.redis_url) as client:
        await client.flushall()
    folder = tmp_path_factory.mktemp("site")
    async with running_live(live_settings(database_url, servers.redis_url, folder)) as made:
        yield made
    await servers.drop_database(database_url)
