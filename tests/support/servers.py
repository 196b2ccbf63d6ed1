"""Real PostgreSQL and Valkey for the tests of one process, and fresh databases in them."""

import asyncio
import itertools
import os
import socket
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from tasuki.embedded import PostgresServer, ValkeyServer, run_server
from tasuki.wiring.migrations import runner

_TEMPLATE = "tasuki_template"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Servers:
    """Where the servers of this test process are."""

    postgres_dsn: str
    redis_url: str

    def database_url(self, name: str) -> str:
        """Return the URL of a database on the server."""
        return f"{self.postgres_dsn.rpartition('/')[0]}/{name}"

    async def create_database(self) -> str:
        """Make a fresh, migrated database and return its URL."""
        name = f"test_{os.getpid()}_{next(_numbers)}"
        await self._run(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE} STRATEGY FILE_COPY")
        return self.database_url(name)

    async def drop_database(self, url: str) -> None:
        """Drop a database, whoever is still connected."""
        await self._run(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")

    async def make_template(self) -> None:
        """Migrate once what every test's database is copied from."""
        await self._run(f"CREATE DATABASE {_TEMPLATE}")
        await runner.upgrade(self.database_url(_TEMPLATE))

    async def _run(self, statement: str) -> None:
        connection = await asyncpg.connect(self.postgres_dsn)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@contextmanager
def running_servers(folder: Path) -> Generator[Servers]:
    """Start the servers, or use those of TASUKI_TEST_DATABASE_URL and TASUKI_TEST_REDIS_URL."""
    folder.chmod(0o700)
    with ExitStack() as stack:
        dsn = os.environ.get("TASUKI_TEST_DATABASE_URL")
        if dsn is None:
            postgres = PostgresServer.prepare(folder, durable=False)
            stack.enter_context(run_server(postgres))
            dsn = postgres.dsn
        redis_url = os.environ.get("TASUKI_TEST_REDIS_URL")
        if redis_url is None:
            valkey = ValkeyServer.prepare(folder, persistent=False)
            stack.enter_context(run_server(valkey))
            redis_url = valkey.url
        servers = Servers(postgres_dsn=dsn, redis_url=redis_url)
        asyncio.run(servers.make_template())
        yield servers


def free_port() -> int:
    """Return a TCP port that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
