"""Tasks that take their process down, block it, or leave too much."""

import asyncio
from pathlib import Path

from chaos import jobs as chaos_jobs
from chaos.house import House, until
from support import jobs
from support.databases import Postgres
from tasuki.core.database import Database
from tasuki.tasks import TaskRecord
from tasuki.wiring.migrations import runner

WAYS = ("kill", "exit", "segfault")


async def order(house: House, task: object, **args: object) -> str:
    """Order a task of `support.jobs`, which the books do not follow."""
    async with house.tasuki.services.get(Database).unit_of_work() as session:
        handle = await house.tasuki.enqueue(session, task, **args)  # type: ignore[call-overload]  # any task
    return str(handle.id)


def assert_crashed(record: TaskRecord) -> None:
    """Check that a task ended at the cap."""
    assert (record.state, record.crash_count, record.attempt) == ("crashed", 3, 3)
    assert record.error is not None
    assert record.error["kind"] == "crash"


async def test_poison_in_the_cpu_lane_is_crashed_and_others_go_on(house: House) -> None:
    """P4: each way of taking the process down stops at the cap; nobody else pays."""
    await asyncio.gather(house.worker("cpu", "--concurrency", "2"), house.scheduler())
    poison = [await house.order(chaos_jobs.work_cpu, how=how) for how in WAYS]
    endless = await order(house, jobs.spin_cpu)
    innocent = [await house.order(chaos_jobs.work_cpu) for _ in range(6)]

    for task_id in innocent:
        record = await house.ended(task_id)
        assert (record.state, record.crash_count) == ("succeeded", 0)
    for task_id in poison:
        assert_crashed(await house.ended(task_id))
    assert (await house.ended(endless)).state == "timed_out"
    verdict = await house.verdict()
    assert verdict.is_good, verdict


async def test_poison_in_the_io_lane_is_crashed_and_its_neighbours_succeed(house: House) -> None:
    """A hundred tasks share a process there: the innocent are not given up with the guilty."""
    await house.keep_worker()
    beside = [await house.order(chaos_jobs.work, takes_s=0.3) for _ in range(3)]
    poison = [await house.order(chaos_jobs.work, how=how) for how in WAYS[:2]]

    for task_id in poison:
        assert_crashed(await house.ended(task_id))
    for task_id in beside:
        assert (await house.ended(task_id)).state == "succeeded"
    verdict = await house.verdict()
    assert verdict.is_good, verdict


async def test_a_task_with_one_crash_left_stops_neither_itself_nor_others_for_ever(
    house: House,
) -> None:
    """It is to run alone, but what runs for hours is no reason to keep everybody waiting."""
    await house.worker()
    hold = house.folder / "hold"
    long = await house.order(chaos_jobs.work, hold=str(hold))
    await house.begun(long)
    marked = await house.order(chaos_jobs.work, hold=f"{hold}.marked", crashes=2)
    later = [await house.order(chaos_jobs.work) for _ in range(3)]

    await house.begun(marked)
    for task_id in later:
        assert (await house.ended(task_id)).state == "succeeded"
    Path(f"{hold}.marked").touch()
    assert (await house.ended(marked)).state == "succeeded"
    assert (await house.record(long)).state == "running"
    hold.touch()
    verdict = await house.verdict()
    assert verdict.is_good, verdict


async def test_a_task_that_blocks_the_loop_is_crashed_and_its_neighbours_are_not_blamed(
    house: House, tmp_path: Path
) -> None:
    """The watchdog knows whose code blocks the loop, so only that one counts a crash."""
    await house.keep_worker()
    hold = house.folder / "hold"
    beside = [await house.order(chaos_jobs.work, hold=str(hold)) for _ in range(3)]
    for task_id in beside:
        await house.begun(task_id)
    poison = await order(house, jobs.spin_io, file=str(tmp_path / "spins"))

    assert_crashed(await house.ended(poison))
    hold.touch()
    for task_id in beside:
        record = await house.ended(task_id)
        assert (record.state, record.crash_count) == ("succeeded", 0)
    verdict = await house.verdict()
    assert verdict.is_good, verdict


async def test_a_blocked_worker_ends_also_while_the_database_is_away(
    tmp_path: Path, redis_url: str
) -> None:
    """It cannot say whose fault it was, and must not stay for ever with all it holds."""
    with Postgres(tmp_path / "postgres") as postgres:
        await runner.upgrade(postgres.dsn)
        async with House(tmp_path, postgres.dsn, redis_url).open() as house:
            worker = await house.worker()
            poison = await house.order(chaos_jobs.endless)
            await house.begun(poison)
            await asyncio.to_thread(postgres.kill)

            await until(lambda: worker.process.poll() is not None, "the worker's end")
            assert "last_words_unsaid" in worker.log.read_text()


async def test_a_result_above_the_limit_fails_its_task_and_nothing_else(
    tmp_path: Path, database_url: str, redis_url: str
) -> None:
    """One greedy task may fill neither the disk nor the memory of all, in either lane."""
    async with House(tmp_path, database_url, redis_url).open() as house:
        await house.start("io", "cpu", "scheduler")
        for large, work in (
            (jobs.large, chaos_jobs.work),
            (chaos_jobs.large_cpu, chaos_jobs.work_cpu),
        ):
            beside = await house.order(work)
            allowed = await order(house, large, size=900_000)
            greedy = await order(house, large, size=2_000_000)

            record = await house.ended(greedy)
            assert (record.state, record.crash_count) == ("failed", 0)
            assert record.error is not None
            assert "1000000" in record.error["message"]
            assert (await house.ended(allowed)).state == "succeeded"
            assert (await house.ended(beside)).state == "succeeded"
        assert not list(tmp_path.rglob("*.part"))


async def test_a_huge_result_holds_up_nobody(
    tmp_path: Path, database_url: str, redis_url: str
) -> None:
    """Turning 200 MB into JSON takes seconds; leases and neighbours must live through it."""
    env = {
        "TASUKI_TASKS__LEASE_S": "10",  # a third of what a system really has
        "TASUKI_TASKS__MAX_ARTIFACT_BYTES": "300000000",
    }
    async with House(tmp_path, database_url, redis_url, env=env).open() as house:
        await house.worker()
        huge = await order(house, jobs.large, size=200_000_000)
        beside = [await house.order(chaos_jobs.work, takes_s=1, steps=4) for _ in range(5)]

        record = await house.ended(huge)
        for task_id in beside:
            assert (await house.ended(task_id)).crash_count == 0
        assert (record.state, record.crash_count, record.attempt) == ("succeeded", 0, 1)
        assert record.artifact is not None
        assert record.artifact.size_bytes == 200_000_002
        verdict = await house.verdict()
        assert verdict.is_good, verdict
