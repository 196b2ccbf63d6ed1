"""A short storm over channels in each run of the tests; long: ``./dev chaos --realtime``."""

from pathlib import Path

import pytest

from chaos.house import House
from chaos.realtime.storm import MODULE, LiveStorm
from support.brokers import Valkey

_SEED = 20_261


@pytest.mark.timeout(300)
async def test_who_listens_hears_all_once_and_in_order_or_is_told(
    tmp_path: Path, database_url: str, valkey: Valkey
) -> None:
    """Whatever is killed, cut or forgotten, in an order nobody thought of."""
    async with House(tmp_path, database_url, valkey.url, modules=(MODULE,)).open() as house:
        found = await LiveStorm(house, valkey, seed=_SEED).run(for_s=0)

    assert found.is_good, f"seed {_SEED}: {found}"
    assert found.published > 50
    assert found.heard > 100
    assert found.resets > 0
