"""A short storm on each broker in every run of the tests; long ones by ``./dev chaos``."""

from chaos.house import House
from chaos.storm import Storm
from support.brokers import Broker

_SEED = 20_251
_FOR_S = 7.0


async def test_a_storm_of_faults_loses_nothing(house_on: House, broker: Broker) -> None:
    """Everything at once, in an order nobody thought of: accepted is still kept."""
    verdict = await Storm(house_on, broker, seed=_SEED).run(for_s=_FOR_S, strikes=4)

    assert verdict.is_good, f"seed {_SEED}: {verdict}"
    assert verdict.acknowledged > 10
    assert len(house_on.kills.read()) >= 4
