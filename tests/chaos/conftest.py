"""Fixtures: a system with short leases, and a Valkey that may be killed."""

from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from chaos.broker import Valkey
from chaos.house import House


@pytest.fixture
async def house(tmp_path: Path, database_url: str, redis_url: str) -> AsyncGenerator[House]:
    """A system with nothing started yet."""
    async with House(tmp_path, database_url, redis_url).open() as made:
        yield made


@pytest.fixture
def valkey(tmp_path: Path) -> Generator[Valkey]:
    """A Valkey of this test's own."""
    folder = tmp_path / "own-valkey"
    folder.mkdir(mode=0o700)
    with Valkey(folder) as server:
        yield server
