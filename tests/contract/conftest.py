"""Fixtures: a broker of a test's own, whichever it is."""

from collections.abc import Generator
from pathlib import Path

import pytest

from support.brokers import BROKERS, Broker, own_broker


@pytest.fixture(params=BROKERS)
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Broker]:
    """A broker that may be mistreated; each test that takes it runs on all of them."""
    with own_broker(request, request.param, tmp_path) as made:
        yield made
