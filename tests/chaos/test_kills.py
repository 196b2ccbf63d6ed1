"""Workers are killed: idle, in mid-task, a child, a parent, all of them."""

import asyncio
from pathlib import Path

import psutil

from chaos import jobs
from chaos.house import House, children, until
from support.system import Part


async def test_killing_idle_workers_while_tasks_are_published_loses_none(
    house_on: House,
) -> None:
    """Redis' client pops a bell before it notes it: without rows, six of 18 were lost."""
    house = house_on
    worker = (await house.start("io", "scheduler"))["io"]
    for _ in range(6):
        replacing = house.own(_replace(house))
        await asyncio.gather(*(house.order(jobs.work) for _ in range(3)))
        house.kill(worker, "idle")
        await replacing
        worker = house.system.parts[-1]

    verdict = await house.verdict()

    assert verdict.is_good, verdict
    assert (verdict.acknowledged, verdict.ended) == (18, 18)


async def _replace(house: House) -> None:
    await house.worker()


async def test_a_task_whose_prefork_child_or_whole_worker_dies_runs_again(
    house_on: House,
) -> None:
    """Whoever is killed, child, parent or all, costs one attempt and nothing else."""
    house = house_on
    worker = (await house.start("cpu", "scheduler"))["cpu"]
    await _kill_an_idle_child(house, worker)
    hold = house.folder / "hold"
    task_id = await house.order(jobs.work_cpu, hold=str(hold))

    house.kill_pid((await house.begun(task_id))["pid"])
    orphan = (await house.begun(task_id, times=2))["pid"]
    house.kill_pid(worker.process.pid)
    await until(lambda: not _is_alive(orphan), "the end of the orphan")
    hold.touch()
    await house.worker("cpu", "--concurrency", "1")

    record = await house.ended(task_id)
    verdict = await house.verdict()
    assert verdict.is_good, verdict
    assert (record.state, record.attempt, record.crash_count) == ("succeeded", 3, 2)
    assert len(house.starts(task_id)) == 3


def _is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def _kill_an_idle_child(house: House, worker: Part) -> None:
    """Kill a child between two tasks: it is replaced, and that is nobody's crash."""
    await house.ended(await house.order(jobs.work_cpu))
    (child,) = children(worker)
    house.kill_pid(child)
    record = await house.ended(await house.order(jobs.work_cpu))
    assert (record.state, record.crash_count) == ("succeeded", 0)
    assert children(worker) != [child]


async def test_a_dispatcher_that_dies_between_mark_and_bell_delays_and_no_more(
    tmp_path: Path, database_url: str, redis_url: str
) -> None:
    """The mark is set before the bell rings; if nobody rang, somebody rings again later."""
    house = House(tmp_path, database_url, redis_url)
    modules = '["support.jobs", "chaos.jobs", "chaos.mutants.dies_before_ringing"]'
    async with house.open():
        task_id = await house.order(jobs.work)
        doomed = await house.scheduler(TASUKI_TASKS__MODULES=modules)
        await until(lambda: doomed.process.poll() is not None, "the dispatcher's death")
        await house.worker()

        record = await house.ended(task_id)
        verdict = await house.verdict()

    assert verdict.is_good, verdict
    assert (record.state, record.attempt, verdict.starts) == ("succeeded", 1, 1)
