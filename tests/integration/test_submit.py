"""Orders that need no transaction of their caller's."""

import asyncio
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from support import jobs
from support.engine import Bench
from tasuki.core.database import Database
from tasuki.core.errors import Unavailable, ValidationFailed
from tasuki.tasks.errors import IdempotencyConflict, TaskAlreadyRunning
from tasuki.tasks.intake import Intake
from tasuki.tasks.settings import TasksSettings


@pytest.fixture
async def bench(database: Database, tmp_path: Path) -> Bench:
    """An engine that is not running, so that orders stay where they are."""
    return Bench(database, tmp_path, TasksSettings())


@pytest.fixture
async def intake(bench: Bench, database: Database) -> Intake:
    """What takes orders."""
    return Intake(database=database, tasks=bench.service)


async def test_many_at_once_share_transactions_and_all_run(bench: Bench, intake: Intake) -> None:
    """Each caller gets a task of its own, with its own arguments and options."""
    tagged = jobs.echo.having(tags=("odd",), priority=3)

    handles = await asyncio.gather(
        *(
            intake.submit(tagged if number % 2 else jobs.echo, {"text": str(number)})
            for number in range(100)
        )
    )

    records = [await bench.record(handle.id) for handle in handles]
    assert [record.args["text"] for record in records] == [str(number) for number in range(100)]
    assert Counter(tuple(record.tags) for record in records) == {(): 50, ("odd",): 50}
    assert {record.priority for record in records} == {0, 3}
    # `now()` is a transaction's own: so many moments, so many commits.
    assert len({record.created_at for record in records}) < 10
    assert await bench.run_due() == 100


async def test_a_refused_order_leaves_its_neighbours_alone(bench: Bench, intake: Intake) -> None:
    """What is wrong with one is found before it is put together with others."""
    taken, refused = await asyncio.gather(
        intake.submit(jobs.echo, {"text": "fine"}),
        intake.submit(jobs.echo, {"words": "not a parameter"}),
        return_exceptions=True,
    )

    assert isinstance(refused, ValidationFailed)
    assert not isinstance(taken, BaseException)
    assert (await bench.record(taken.id)).state == "queued"


async def test_keys_mean_what_they_mean_elsewhere(intake: Intake) -> None:
    """The same key and arguments are the same order; a unique key refuses a second one."""
    keyed = jobs.echo.having(idempotency_key="order-7")

    first = await intake.submit(keyed, {"text": "a"})
    again = await intake.submit(keyed, {"text": "a"})

    assert (again.id, again.is_new) == (first.id, False)
    with pytest.raises(IdempotencyConflict):
        await intake.submit(keyed, {"text": "b"})
    unique = jobs.echo.having(unique_key="one")
    await intake.submit(unique, {"text": "a"})
    with pytest.raises(TaskAlreadyRunning):
        await intake.submit(unique, {"text": "a"})


async def test_an_order_for_later_waits(bench: Bench, intake: Intake) -> None:
    """Delay and expiry are kept, whichever way an order takes."""
    later = jobs.echo.having(delay=timedelta(hours=1), expires=timedelta(hours=2))

    handle = await intake.submit(later, {"text": "a"})

    record = await bench.record(handle.id)
    assert handle.state == record.state == "scheduled"
    assert record.available_at - record.created_at == timedelta(hours=1)
    assert record.expires_at is not None
    assert record.expires_at - record.created_at == timedelta(hours=2)


async def test_no_database_is_said_and_the_next_order_is_taken(
    bench: Bench, database: Database
) -> None:
    """Nobody is told that an order stands when it does not, and nothing stays stuck."""
    away = Database("postgresql://nobody@127.0.0.1:9/none")
    intake = Intake(database=away, tasks=bench.service)

    answers = await asyncio.gather(
        *(intake.submit(jobs.echo, {"text": "a"}) for _ in range(3)), return_exceptions=True
    )

    assert [type(one) for one in answers] == [Unavailable] * 3
    await away.close()
    back = Intake(database=database, tasks=bench.service)
    assert (await back.submit(jobs.echo, {"text": "a"})).is_new
