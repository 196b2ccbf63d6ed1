"""Many schedulers, killed all the time. Longer: ``./dev chaos --schedulers 10 --minutes 1``."""

from pathlib import Path

from chaos.clockwork import tick_under_kills
from chaos.house import House

_FOR_S = 8.0


async def test_each_slot_is_ordered_once_however_many_schedulers_run_and_die(
    tmp_path: Path, database_url: str, redis_url: str
) -> None:
    """A nightly report must come in spite of a restart, and not twice in spite of a spare."""
    house = House(tmp_path, database_url, redis_url, modules=("chaos.clockwork",))
    async with house.open():
        slots = await tick_under_kills(house, schedulers=3, for_s=_FOR_S, seed=1)

    assert slots.faults == [], slots
    assert len(slots.counts) >= _FOR_S
    assert slots.kills >= 3
