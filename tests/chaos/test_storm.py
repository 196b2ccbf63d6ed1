"""A short storm in every run of the tests; long ones by ``./dev chaos``."""

from pathlib import Path

from chaos.broker import Valkey
from chaos.house import House
from chaos.storm import Storm

_SEED = 20_251
_FOR_S = 7.0


async def test_a_storm_of_faults_loses_nothing(
    tmp_path: Path, database_url: str, valkey: Valkey
) -> None:
    """Everything at once, in an order nobody thought of: accepted is still kept."""
    async with House(tmp_path, database_url, valkey.url).open() as house:
        verdict = await Storm(house, valkey, seed=_SEED).run(for_s=_FOR_S)

    assert verdict.is_good, f"seed {_SEED}: {verdict}"
    assert verdict.acknowledged > 10
    assert len(house.kills.read()) > 3
