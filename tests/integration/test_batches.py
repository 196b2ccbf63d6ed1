"""Batches on a real database: many tasks as one, counted right whatever happens."""

import asyncio
import tracemalloc
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from support import jobs
from support.batches import Generated, claim, counted, true_numbers
from support.engine import Bench
from support.waiting import wait_until
from tasuki.core.database import Database
from tasuki.core.errors import NotFound, ValidationFailed
from tasuki.tasks.batches.service import LARGEST
from tasuki.tasks.counting import COUNTERS
from tasuki.tasks.errors import IdempotencyConflict, TaskFinished
from tasuki.tasks.settings import TasksSettings
from tasuki.tasks.states import State

OWNER = 7


@pytest.fixture
async def bench(database: Database, tmp_path: Path) -> AsyncGenerator[Bench]:
    """An engine with short times."""
    settings = TasksSettings(lease_s=2, cancel_grace_s=0.3, look_every_s=0.1, max_crashes=2)
    made = Bench(database, tmp_path, settings)
    beating = asyncio.create_task(made.runner.beat_for_ever())
    yield made
    beating.cancel()


# Ordering


async def test_a_batch_is_many_tasks_and_one_row(bench: Bench) -> None:
    """The plain case: order, run, done, and at each moment one read says how far it is."""
    arguments = [{"text": str(number)} for number in range(25)]

    batch_id = await bench.order_batch(jobs.echo.having(owner_id=OWNER, tags=("many",)), arguments)
    before = await bench.batch(batch_id)
    assert await bench.run_due() == 25
    after = await bench.batch(batch_id)

    assert (before.name, before.total, before.queued, before.progress) == ("test.echo", 25, 25, 0)
    assert (after.succeeded, after.progress) == (25, 1)
    assert after.finished_at is not None
    tasks = await bench.tasks_of(batch_id)
    assert [task.args for task in tasks] == arguments
    assert {(task.owner_id, tuple(task.tags)) for task in tasks} == {(OWNER, ("many",))}
    kinds = [event.type for event in await bench.events(tasks[0].id)]
    assert kinds == ["queued", "started", "succeeded"]


async def test_a_wrong_argument_is_named_and_nothing_is_written(bench: Bench) -> None:
    """All or none, and out of ten thousand one need not guess which was wrong."""
    arguments: list[dict[str, Any]] = [{"text": "x"} for _ in range(2_500)]
    arguments[2_100] = {"text": 5}

    async with bench.database.unit_of_work() as session:
        with pytest.raises(ValidationFailed, match=r"args\[2100\]") as caught:
            await bench.batches.enqueue(session, jobs.echo, arguments)

    assert caught.value.errors[0]["loc"] == ["body", "args", 2100, "text"]
    assert await claim(bench) == []


@pytest.mark.parametrize(
    ("task", "size", "said"),
    [
        (jobs.echo, 0, "1 to"),
        (jobs.echo, LARGEST + 1, "1 to"),
        (jobs.echo.having(unique_key="x"), 1, "unique_key"),
        (jobs.echo.having(queue="nowhere"), 1, "queue"),
    ],
)
async def test_what_a_batch_cannot_be_is_refused(
    bench: Bench, task: Any, size: int, said: str
) -> None:
    """Empty ones never end, endless ones hold up everybody, and many cannot be unique."""
    with pytest.raises(ValidationFailed, match=said):
        await bench.order_batch(task, Generated(size))


@pytest.mark.parametrize("option", ["idempotency_key", "unique_key", "delay", "expires"])
async def test_a_follow_up_takes_no_time_of_its_own(bench: Bench, option: str) -> None:
    """It begins when the batch is over, and at no other time."""
    given: dict[str, Any] = {
        option: timedelta(seconds=1) if option in {"delay", "expires"} else "x"
    }
    after = jobs.echo.having(**given)

    with pytest.raises(ValidationFailed, match=option):
        await bench.order_batch(jobs.echo, [{}], on_complete=after)


async def test_a_repeated_order_is_the_same_batch(bench: Bench) -> None:
    """The answer was lost, the client asks again: nobody gets two mails."""
    task = jobs.echo.having(idempotency_key="k", owner_id=OWNER)
    follow = {"on_complete": jobs.sum_up}

    first = await bench.order_batch(task, [{"text": "a"}, {"text": "b"}], **follow)
    again = await bench.order_batch(task, [{"text": "a"}, {"text": "b"}], **follow)

    assert again == first
    assert len(await bench.tasks_of(first)) == 2
    for other, how in (([{"text": "a"}], follow), ([{"text": "a"}, {"text": "b"}], {})):
        with pytest.raises(IdempotencyConflict):
            await bench.order_batch(task, other, **how)


async def test_an_order_that_is_rolled_back_leaves_nothing(bench: Bench) -> None:
    """It was accepted in the caller's transaction, and so it goes with it."""
    made: list[UUID] = []

    async def order_and_fail() -> None:
        async with bench.database.unit_of_work() as session:
            made.append((await bench.batches.enqueue(session, jobs.echo, [{}, {}])).id)
            raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        await order_and_fail()

    with pytest.raises(NotFound):
        await bench.batch(made[0])
    assert await claim(bench) == []


async def test_ten_thousand_are_one_transaction_and_little_memory(bench: Bench) -> None:
    """A bulk mail to everybody must not take the web process down."""
    await bench.order_batch(jobs.echo, Generated(2_000))  # whatever is made only once
    peaks, ids = [], []
    for size in (1_000, 10_000):
        tracemalloc.start()
        ids.append(await bench.order_batch(jobs.echo, Generated(size)))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    batch_id = ids[-1]

    record = await bench.batch(batch_id)
    async with bench.database.driver() as connection:
        transactions = await connection.fetchval(
            "SELECT count(DISTINCT xmin::text) FROM tasks WHERE batch_id = $1", batch_id
        )
    assert (record.total, record.queued) == (10_000, 10_000)
    assert transactions == 1
    assert peaks[1] < 1.5 * peaks[0], peaks
    assert peaks[1] < 8_000_000, peaks


# Counting


async def test_every_kind_of_end_is_counted(bench: Bench) -> None:
    """Success, failure, retry, timeout, crash, expiry, cancel: the sum is always the total."""
    expiring = jobs.echo.having(expires=timedelta(seconds=0))
    ids = [
        await bench.order_batch(jobs.fail, [{"fatal": True}, {"until": 1}, {"until": 2}]),
        await bench.order_batch(jobs.slow, [{}]),
        await bench.order_batch(expiring, [{}, {}]),
    ]
    await bench.reaper.go_round()
    await bench.run_due()
    first = [counted(await bench.batch(batch_id)) for batch_id in ids]

    assert first[0] == await true_numbers(bench, ids[0])
    assert first[0]["succeeded"] == 1
    assert first[0]["queued"] + first[0]["failed"] == 2
    assert first[1]["failed"] == 1
    assert first[2]["failed"] == 2


async def test_a_lost_worker_is_counted_once(bench: Bench) -> None:
    """Its tasks wait again; after too many crashes they have failed."""
    batch_id = await bench.order_batch(jobs.echo, [{}])
    seen = []
    for _ in range(2):
        (held,) = await claim(bench) or await bench.repository.claim(
            worker="w",
            queue="default",
            lane="io",
            names=["test.echo"],
            most=1,
            last_chance=True,
        )
        seen.append(counted(await bench.batch(batch_id)))
        await bench.repository.give_up(held.id, held.token)
        await bench.reaper.go_round()
        seen.append(counted(await bench.batch(batch_id)))
        async with bench.database.driver() as connection:
            await connection.execute("UPDATE tasks SET available_at = now()")

    assert [{name for name, value in one.items() if value} for one in seen] == [
        {"running"},
        {"queued"},
        {"running"},
        {"failed"},
    ]


# The task that follows


async def test_what_follows_begins_once_all_have_ended(bench: Bench, tmp_path: Path) -> None:
    """Not before, exactly once, and it is told which batch it follows."""
    file = tmp_path / "after"
    batch_id = await bench.order_batch(
        jobs.fail.having(owner_id=OWNER),
        [{"until": 1}, {"fatal": True}],
        on_complete=jobs.sum_up,
        on_complete_args={"file": str(file)},
    )
    next_id = (await bench.batch(batch_id)).on_complete_id
    assert next_id is not None
    waiting = await bench.record(next_id)
    await bench.run_due()
    await bench.run_due()

    record = await bench.record(next_id)
    assert (waiting.state, waiting.owner_id) == (State.SCHEDULED, OWNER)
    assert (record.state, record.result) == (State.SUCCEEDED, str(batch_id))
    assert file.read_text().count("\n") == 1


async def test_what_follows_may_be_cancelled_and_then_does_not_run(bench: Bench) -> None:
    """It is a task like any other."""
    batch_id = await bench.order_batch(jobs.echo, [{}], on_complete=jobs.sum_up)
    next_id = (await bench.batch(batch_id)).on_complete_id
    assert next_id is not None
    await bench.cancel(next_id)

    assert await bench.run_due() == 1
    assert await bench.run_due() == 0
    assert (await bench.record(next_id)).state is State.CANCELLED


# Cancelling


async def test_a_batch_is_cancelled_as_a_whole(bench: Bench) -> None:
    """What waits ends at once; what runs is asked; what follows runs all the same."""
    batch_id = await bench.order_batch(jobs.wait, [{}] * 5, on_complete=jobs.sum_up)
    running = asyncio.create_task(bench.pump(room=2).answer("default"))

    async def has_begun() -> bool:
        return (await bench.batch(batch_id)).running == 2

    await wait_until(has_begun, within=5)
    bench.is_stopping = True

    await bench.cancel_batch(batch_id)
    asked = await bench.batch(batch_id)
    await bench.cancel_batch(batch_id)
    async with asyncio.timeout(5):
        await running
    bench.is_stopping = False
    over = await bench.batch(batch_id)

    assert counted(asked) == dict.fromkeys(COUNTERS, 0) | {"running": 2, "cancelled": 3}
    assert asked.cancel_requested_at is not None
    assert counted(over) == dict.fromkeys(COUNTERS, 0) | {"cancelled": 5}
    with pytest.raises(TaskFinished):
        await bench.cancel_batch(batch_id)
    assert await bench.run_due() == 1


# Afterwards


async def test_a_batch_is_forgotten_with_its_tasks(database: Database, tmp_path: Path) -> None:
    """Retention holds for batches too, and nothing is left in the table."""
    bench = Bench(database, tmp_path, TasksSettings(retention_s=1))
    batch_id = await bench.order_batch(jobs.echo, [{}, {}])
    await bench.run_due()
    async with database.driver() as connection:
        await connection.execute("UPDATE tasks SET purge_at = now()")
        await connection.execute("UPDATE batches SET purge_at = now()")

    assert await bench.cleaner.purge() == 2

    with pytest.raises(NotFound):
        await bench.batch(batch_id)


async def test_an_unknown_batch_is_not_found(bench: Bench) -> None:
    """As is somebody else's."""
    mine = await bench.order_batch(jobs.echo.having(owner_id=OWNER), [{}])

    for batch_id, owner_id in ((uuid4(), OWNER), (mine, OWNER + 1)):
        async with bench.database.unit_of_work() as session:
            with pytest.raises(NotFound):
                await bench.batches.get(session, batch_id, owner_id=owner_id)
