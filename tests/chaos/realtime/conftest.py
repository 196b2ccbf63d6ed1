"""A Valkey that may be killed, and a web process in this one that goes through it."""

from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from chaos.realtime.doors import add_doors
from support.brokers import Valkey
from support.live import Live, live_settings, running_live


@pytest.fixture
def valkey(tmp_path: Path) -> Generator[Valkey]:
    """A Valkey of this test's own; it forgets everything when it is killed."""
    (tmp_path / "valkey").mkdir(mode=0o700)
    with Valkey(tmp_path / "valkey") as made:
        yield made


@pytest.fixture
async def live(database_url: str, valkey: Valkey, tmp_path: Path) -> AsyncGenerator[Live]:
    """A web process in this one, on a Valkey that is going to be mistreated."""
    modules = ("support.jobs", "chaos.realtime.doors")
    settings = live_settings(database_url, valkey.url, tmp_path, modules=modules)
    async with running_live(settings) as running:
        add_doors(running.app)
        yield running
