"""A cancel in each phase of a task: there is one winner, and it stays."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncGenerator
from pathlib import Path

import asyncpg
import pytest

from chaos import jobs
from chaos.house import LONG_S, House, until_locked
from support import jobs as support_jobs
from support.engine import Bench
from tasuki.core.database import Database
from tasuki.tasks.errors import TaskFinished
from tasuki.tasks.settings import TasksSettings

_TERMINAL = {"succeeded", "cancelled"}


async def test_a_queued_task_is_cancelled_with_no_worker_alive(house: House) -> None:
    """P6: nobody has to be there for it, and a worker that comes later leaves it alone."""
    task_id = await house.order(jobs.work)
    await house.tasuki.cancel(task_id)
    assert (await house.record(task_id)).state == "cancelled"

    await house.worker()
    await house.ended(await house.order(jobs.work))

    with pytest.raises(TaskFinished):
        await house.tasuki.cancel(task_id)
    assert house.starts(task_id) == []
    verdict = await house.verdict()
    assert verdict.is_good, verdict


async def test_a_running_task_is_cancelled_and_cancelling_twice_is_fine(house: House) -> None:
    """In either lane; and the second click of an impatient person changes nothing."""
    await house.start("io", "cpu", "scheduler")
    never = str(house.folder / "never")
    ids = [await house.order(work, hold=never) for work in (jobs.work, jobs.work_cpu)]
    for task_id in ids:
        await house.begun(task_id)

        await asyncio.gather(*(house.tasuki.cancel(task_id) for _ in range(3)))

        record = await house.ended(task_id)
        assert (record.state, record.attempt) == ("cancelled", 1)
    for task in await house.tasks():
        kinds = [kind for _, kind in task.events]
        assert kinds == ["queued", "started", "cancelling", "cancelled"]
    verdict = await house.verdict()
    assert verdict.is_good, verdict


async def test_a_cancelled_task_whose_worker_dies_is_cancelled_and_not_run_again(
    house: House,
) -> None:
    """Asked to stop and then killed: it has stopped."""
    worker = await house.worker()
    task_id = await house.order(jobs.work, hold=str(house.folder / "never"))
    await house.begun(task_id)
    worker.signal(signal.SIGSTOP)  # it does not hear of the cancel
    await house.tasuki.cancel(task_id)
    house.kill(worker)
    await house.worker()

    assert (await house.ended(task_id)).state == "cancelled"
    verdict = await house.verdict()
    assert verdict.is_good, verdict
    assert verdict.starts == 1


@pytest.fixture
async def bench(database: Database, tmp_path: Path) -> AsyncGenerator[Bench]:
    """An engine in this process, where a moment can be held."""
    made = Bench(database, tmp_path, TasksSettings(lease_s=3, cancel_grace_s=0.5))
    beating = asyncio.create_task(made.runner.beat_for_ever())
    yield made
    beating.cancel()
    await asyncio.gather(beating, return_exceptions=True)


async def test_a_cancel_between_claim_and_start_wins(bench: Bench) -> None:
    """Claimed and not begun yet: the first beat of the heart brings the news."""
    handle = await bench.order(support_jobs.wait)
    (claimed,) = await bench.repository.claim(
        worker="w", queue="default", lane="io", names=["test.wait"], most=1
    )
    await bench.cancel(handle.id)

    await asyncio.wait_for(bench.runner.run(claimed), LONG_S)

    kinds = [event.type for event in await bench.events(handle.id)]
    assert kinds == ["queued", "started", "cancelling", "cancelled"]


@pytest.mark.parametrize("first", ["finish", "cancel"])
async def test_a_cancel_during_the_finish_has_one_winner(
    bench: Bench, database_url: str, first: str
) -> None:
    """Both wait for the same row; whoever comes first decides, and the other changes nothing."""
    handle = await bench.order(support_jobs.echo)
    locking = await asyncpg.connect(database_url)

    async def cancel() -> None:
        with contextlib.suppress(TaskFinished):
            await bench.cancel(handle.id)

    async def finish() -> None:
        await asyncio.wait_for(bench.runner.run(claimed), LONG_S)

    (claimed,) = await bench.repository.claim(
        worker="w", queue="default", lane="io", names=["test.echo"], most=1
    )
    steps = [finish, cancel] if first == "finish" else [cancel, finish]
    async with locking.transaction():
        await locking.execute("SELECT FROM tasks WHERE id = $1 FOR UPDATE", handle.id)
        moving = [asyncio.create_task(steps[0]())]
        await until_locked(database_url, sessions=1)
        moving.append(asyncio.create_task(steps[1]()))
        await until_locked(database_url, sessions=2)
    await asyncio.gather(*moving)
    await locking.close()

    kinds = [event.type for event in await bench.events(handle.id)]
    record = await bench.record(handle.id)
    assert record.state in _TERMINAL
    assert sum(kind in _TERMINAL for kind in kinds) == 1
    assert kinds[-1] == record.state
