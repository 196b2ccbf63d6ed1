"""Workers are asked to stop: what they hold and what waits for them is handed on at once."""

import asyncio
import signal
import time
from pathlib import Path

import psutil
import pytest

from chaos import jobs
from chaos.house import House, children, until
from support.brokers import Broker
from support.system import Part

# Nothing here may come from the reaper that misses a bell: it would hide a worker's silence.
NO_REAPER = {"TASUKI_TASKS__RING_AGAIN_S": "600", "TASUKI_TASKS__LEASE_S": "20"}
_SOON_S = 10.0  # two to three times what it takes on a busy machine, far below a lease
OLD = {"TASUKI_TASKS__MODULES": '["support.jobs"]'}


@pytest.fixture
async def house_on(tmp_path: Path, database_url: str, redis_url: str, broker: Broker) -> House:
    """A system on a broker in which nobody rings a second time."""
    notices = broker.redis_url or redis_url
    return House(tmp_path, database_url, notices, broker_url=broker.url, env=NO_REAPER)


async def stopped(part: Part) -> None:
    """Wait for a process's end, and check that it is a clean one."""
    await until(lambda: part.process.poll() is not None, f"the end of {part.name}")
    assert part.process.returncode in {0, -signal.SIGTERM}, part.tail()


@pytest.mark.parametrize(
    ("broker", "lane"),
    [("valkey", "io"), ("valkey", "cpu"), ("rabbitmq", "cpu")],
    indirect=["broker"],
)
async def test_a_stopping_worker_hands_on_what_it_holds_and_what_waits(
    house_on: House, lane: str
) -> None:
    """Its bells are the only ones: if they were lost with it, the tasks would wait for minutes."""
    task = jobs.work if lane == "io" else jobs.work_cpu
    async with house_on.open() as house:
        options = ("--concurrency", "2", "--stop-grace-s", "0.3")
        first, _ = await asyncio.gather(house.worker(lane, *options), house.scheduler())
        hold = house.folder / "hold"
        held = [await house.order(task, hold=str(hold)) for _ in range(2)]
        for task_id in held:
            await house.begun(task_id)
        waiting = [await house.order(task) for _ in range(20)]
        await house.worker(lane, "--concurrency", "4")

        asked = time.monotonic()
        first.process.send_signal(signal.SIGTERM)
        for task_id in held:
            await house.begun(task_id, times=2)
        for task_id in waiting:
            await house.ended(task_id)
        passed_s = time.monotonic() - asked

        hold.touch()
        await stopped(first)
        verdict = await house.verdict()
        assert verdict.is_good, verdict
        assert passed_s < _SOON_S
        assert [(await house.record(task_id)).attempt for task_id in held] == [1, 1]


@pytest.mark.parametrize("broker", ["valkey"], indirect=True)  # the broker has no bell left
async def test_bells_that_a_stopping_worker_took_are_rung_for_others(house_on: House) -> None:
    """Four bells stand for thirty tasks, and are in its hands; more, if two processes rang."""
    async with house_on.open() as house:
        first, _ = await asyncio.gather(
            house.worker("io", "--concurrency", "4"), house.scheduler()
        )
        hold = house.folder / "hold"
        ids = await house.order_together(jobs.work, 30, hold=str(hold))
        await until(lambda: len(house.effects.read()) == 4, "four running tasks")
        await until(lambda: first.log.read_text().count("received") >= 4, "four bells")
        await house.worker()

        first.process.send_signal(signal.SIGTERM)
        await until(lambda: "shutdown" in first.log.read_text(), "the signal's effect")
        hold.touch()

        for task_id in ids:
            assert (await house.ended(task_id, within=_SOON_S)).state == "succeeded"
        await stopped(first)


@pytest.mark.parametrize("broker", ["valkey"], indirect=True)  # the broker has no part in it
async def test_who_asks_twice_has_running_tasks_given_back_at_once(house_on: House) -> None:
    """An operator in a hurry does not have to choose between waiting and a crash."""
    async with house_on.open() as house:
        first, _ = await asyncio.gather(
            house.worker("cpu", "--concurrency", "1", "--stop-grace-s", "600"), house.scheduler()
        )
        hold = house.folder / "hold"
        held = await house.order(jobs.work_cpu, hold=str(hold))
        await house.begun(held)
        await house.worker("cpu")

        first.process.send_signal(signal.SIGINT)
        await until(lambda: "shutdown" in first.log.read_text(), "the first signal's effect")
        assert len(house.starts(held)) == 1
        first.process.send_signal(signal.SIGINT)
        await house.begun(held, times=2)
        hold.touch()

        await stopped(first)
        record = await house.ended(held)
        assert (record.state, record.attempt, record.crash_count) == ("succeeded", 1, 0)


@pytest.mark.parametrize("broker", ["valkey"], indirect=True)  # nor here
async def test_signals_to_the_whole_group_cost_no_crash(house_on: House) -> None:
    """Systemd tells the children too; only the parent decides when one of them ends."""
    async with house_on.open() as house:
        worker = (await house.start("cpu", "scheduler"))["cpu"]
        held = await house.order(jobs.work_cpu, hold=str(house.folder / "hold"))
        child = (await house.begun(held))["pid"]

        worker.signal(signal.SIGTERM)
        await until(lambda: "shutdown" in worker.log.read_text(), "the signal's effect")
        assert children(worker) == [child]
        worker.signal(signal.SIGTERM)

        await stopped(worker)
        record = await house.record(held)
        assert (record.state, record.attempt, record.crash_count) == ("queued", 0, 0)


@pytest.mark.parametrize(
    ("broker", "lane"), [("valkey", "cpu"), ("rabbitmq", "io")], indirect=["broker"]
)
async def test_a_task_that_old_workers_do_not_know_waits_for_a_new_one(
    house_on: House, lane: str
) -> None:
    """While a new version is rolled out both hear the same queue, and nothing spins meanwhile."""
    task = jobs.work if lane == "io" else jobs.work_cpu
    async with house_on.open() as house:
        old, _ = await asyncio.gather(house.worker(lane, **OLD), house.scheduler())
        early = await house.order(task)
        await until(lambda: "unknown_task" in old.log.read_text(), "the old worker's answer")
        busy_s = await cpu_seconds(old, during_s=2)
        assert (await house.record(early)).attempt == 0
        assert old.log.read_text().count("unknown_task") < 10
        assert busy_s < 0.5

        await house.worker(lane)
        late = [await house.order(task) for _ in range(20)]
        for task_id in [early, *late]:
            assert (await house.ended(task_id, within=_SOON_S)).state == "succeeded"
        verdict = await house.verdict()
        assert verdict.is_good, verdict


async def cpu_seconds(part: Part, *, during_s: float) -> float:
    """Return how long a process and its children compute in the next seconds."""
    family = [psutil.Process(part.process.pid)]
    family += family[0].children(recursive=True)
    before = sum(sum(process.cpu_times()[:2]) for process in family)
    await asyncio.sleep(during_s)  # nothing is waited for: this is a measurement
    return sum(sum(process.cpu_times()[:2]) for process in family) - before
