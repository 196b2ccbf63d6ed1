"""The checker goes red when a part of the engine is switched off, and is green when it is on."""

import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from chaos import jobs
from chaos.house import LEASE_S, LONG_S, House
from chaos.ledger import Verdict
from support.waiting import wait_until

Scenario = Callable[[House, float], Awaitable[Verdict]]

_RED_WITHIN_S = 3 * LEASE_S  # how long a mutant gets; what works needs less


async def a_worker_stalls_and_comes_back(house: House, within_s: float) -> Verdict:
    """Stop a worker past its lease; a second one takes the task; then the first finishes."""
    first = await house.worker()
    hold = house.folder / "hold"
    task_id = await house.order(jobs.work, hold=str(hold))
    await house.begun(task_id)
    first.signal(signal.SIGSTOP)
    await house.worker()
    await house.begun(task_id, times=2)
    Path(f"{hold}.1").touch()
    first.signal(signal.SIGCONT)

    async def is_answered() -> bool:
        is_over = (await house.record(task_id)).state.is_terminal
        return is_over or "lease_lost" in first.log.read_text()

    await wait_until(is_answered, within=LONG_S, what="an answer to the late worker")
    hold.touch()
    return await house.verdict(within=within_s)


async def some_work(house: House, within_s: float) -> Verdict:
    """Order a few tasks of a system that is well."""
    await house.worker()
    for _ in range(5):
        await house.order(jobs.work)
    return await house.verdict(within=within_s)


async def a_worker_dies(house: House, within_s: float) -> Verdict:
    """Kill a worker in the middle of a task, and start another."""
    first = await house.worker()
    hold = house.folder / "hold"
    task_id = await house.order(jobs.work, hold=str(hold))
    await house.begun(task_id)
    house.kill(first)
    hold.touch()
    await house.worker()
    return await house.verdict(within=within_s)


@pytest.mark.parametrize(
    ("mutant", "scenario", "says"),
    [
        ("no_fencing", a_worker_stalls_and_comes_back, "attempt 1 ended it while attempt 2"),
        ("no_dispatcher", some_work, "lost=5"),
        ("no_reaper", a_worker_dies, "lost=1"),
    ],
)
async def test_without_a_part_of_the_engine_the_checker_goes_red(
    tmp_path: Path, database_url: str, redis_url: str, mutant: str, scenario: Scenario, says: str
) -> None:
    """A test that cannot fail proves nothing: each guard is needed, and its absence is seen."""
    house = House(tmp_path, database_url, redis_url, modules=(f"chaos.mutants.{mutant}",))
    async with house.open():
        verdict = await scenario(house, _RED_WITHIN_S)

    assert not verdict.is_good
    assert says in str(verdict)


@pytest.mark.parametrize("scenario", [a_worker_stalls_and_comes_back, some_work, a_worker_dies])
async def test_with_all_parts_the_same_scenario_is_green(house: House, scenario: Scenario) -> None:
    """The late finish of a stalled worker changes nothing, and a killed one's task runs again."""
    verdict = await scenario(house, LONG_S)

    assert verdict.is_good, verdict
