"""A Valkey that may be killed."""

from collections.abc import Generator
from pathlib import Path

import pytest

from support.brokers import Valkey


@pytest.fixture
def valkey(tmp_path: Path) -> Generator[Valkey]:
    """A Valkey of this test's own; it forgets everything when it is killed."""
    (tmp_path / "valkey").mkdir(mode=0o700)
    with Valkey(tmp_path / "valkey") as made:
        yield made
