"""Tasks that order tasks: they belong together, and are cancelled together."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from pathlib import Path
from uuid import UUID

import pytest

from support import jobs
from support.batches import claim, counted, true_numbers
from support.engine import Bench
from support.live import Live
from support.waiting import wait_until
from tasuki.core.database import Database
from tasuki.tasks import TaskRecord
from tasuki.tasks.engine.repository import Claimed
from tasuki.tasks.errors import TaskFinished
from tasuki.tasks.records import TaskFilter
from tasuki.tasks.settings import TasksSettings
from tasuki.tasks.states import State

OWNER = 7


@pytest.fixture
async def bench(database: Database, tmp_path: Path) -> AsyncGenerator[Bench]:
    """An engine with short times, and a heart that beats."""
    made = Bench(database, tmp_path, TasksSettings(lease_s=2, cancel_grace_s=0.3))
    beating = asyncio.create_task(made.runner.beat_for_ever())
    yield made
    beating.cancel()


async def tasks(bench: Bench, **wanted: object) -> list[TaskRecord]:
    """Return all tasks that fit, the oldest first."""
    async with bench.database.unit_of_work() as session:
        found = await bench.service.page(
            session,
            TaskFilter(**wanted),  # type: ignore[arg-type]  # a test's own filters
            before=None,
            limit=1_000,
        )
    return found[::-1]


async def states(bench: Bench, **wanted: object) -> Counter[State]:
    """Count tasks by their state."""
    return Counter(task.state for task in await tasks(bench, **wanted))


async def until(bench: Bench, state: State, count: int) -> None:
    """Wait until so many tasks are in a state."""

    async def are_there() -> bool:
        return (await states(bench))[state] >= count

    await wait_until(are_there, within=10)


async def start_one(bench: Bench) -> "asyncio.Task[None]":
    """Run one task, and nothing that it orders; wait until there is one."""

    async def look() -> list[Claimed]:
        return await claim(bench, 1)

    (claimed,) = await wait_until(look, within=5) or []
    return asyncio.create_task(bench.runner.run(claimed))


async def test_a_child_knows_its_parent_and_has_its_owner(bench: Bench) -> None:
    """Whoever may see the parent may see what it ordered."""
    parent = await bench.order(jobs.family.having(owner_id=OWNER), deep=1, wide=2, stay=False)
    await (await start_one(bench))

    children = await tasks(bench, parent_id=parent.id)

    assert len(children) == 2
    assert {(child.owner_id, tuple(child.tags)) for child in children} == {(OWNER, ("child",))}
    assert (await bench.record(parent.id)).parent_id is None


async def test_a_cancel_reaches_all_descendants(bench: Bench) -> None:
    """Those that wait end at once, those that run are asked; others are left alone."""
    stranger = await bench.order(jobs.wait)
    parent = await bench.order(jobs.family, deep=3, wide=2)
    running = [await start_one(bench) for _ in range(5)]
    await until(bench, State.QUEUED, 1)

    await bench.cancel(parent.id)
    asked = await states(bench)
    await bench.cancel(stranger.id)
    async with asyncio.timeout(10):
        await asyncio.gather(*running)

    assert asked[State.QUEUED] == 0
    assert asked[State.CANCELLING] + asked[State.RUNNING] == 5
    assert asked[State.RUNNING] <= 1  # the stranger
    assert set(await states(bench)) == {State.CANCELLED}


async def test_grandchildren_are_found_through_a_child_that_ended(bench: Bench) -> None:
    """The middle of a family may be over while its ends are not."""
    parent = await bench.order(jobs.family, deep=2)
    running = await start_one(bench)
    (child,) = await wait_until(lambda: tasks(bench, parent_id=parent.id), within=5) or []
    await end_having(bench, child.id)
    (grandchild,) = await tasks(bench, parent_id=child.id)

    await bench.cancel(parent.id)
    async with asyncio.timeout(5):
        await running

    assert (await bench.record(child.id)).state is State.SUCCEEDED
    assert (await bench.record(grandchild.id)).state is State.CANCELLED


async def end_having(bench: Bench, task_id: UUID) -> None:
    """Let a task have ended well, and have left one child."""
    async with bench.database.unit_of_work() as session:
        await bench.service.enqueue(session, jobs.echo, {}, parent_id=task_id)
    async with bench.database.driver() as connection:
        await connection.execute(
            "UPDATE tasks SET state = 'succeeded', finished_at = now() WHERE id = $1", task_id
        )


async def test_what_an_ended_parent_left_is_not_cancelled_with_it(bench: Bench) -> None:
    """There is nothing left to cancel, so the call fails, and changes nothing."""
    parent = await bench.order(jobs.family, deep=1, stay=False)
    await (await start_one(bench))

    with pytest.raises(TaskFinished):
        await bench.cancel(parent.id)

    assert await states(bench, parent_id=parent.id) == {State.QUEUED: 1}


@pytest.mark.parametrize("round_", range(5))
async def test_no_child_slips_through_a_cancel(bench: Bench, round_: int) -> None:
    """A parent that orders without a pause is cancelled in the middle: nothing is left over."""
    parents = [(await bench.order(jobs.breed)).id for _ in range(3)]
    running = [await start_one(bench) for _ in parents]

    async def has_some() -> bool:
        return len(await tasks(bench, queue="email")) > 3 + round_

    await wait_until(has_some, within=10)
    await asyncio.gather(*(bench.cancel(parent) for parent in parents))
    async with asyncio.timeout(10):
        await asyncio.gather(*running)

    assert {(await bench.record(parent)).state for parent in parents} == {State.CANCELLED}
    assert set(await states(bench, queue="email")) == {State.CANCELLED}


async def test_who_lost_the_lease_orders_nothing(bench: Bench) -> None:
    """Another worker runs the task now; its children are that one's to order."""
    parent = await bench.order(jobs.breed)
    running = await start_one(bench)

    async def has_some() -> bool:
        return bool(await tasks(bench, queue="email"))

    await wait_until(has_some, within=10)
    (run,) = bench.runner.runs

    async def is_reaped() -> bool:
        # Passed over while the parent orders, as in life, where the reaper comes again.
        await bench.repository.give_up(run.claimed.id, run.claimed.token)
        return bool(await bench.repository.reap())

    await wait_until(is_reaped, within=5)
    async with asyncio.timeout(5):
        await running

    before = len(await tasks(bench, queue="email"))
    assert (await bench.record(parent.id)).state is State.QUEUED
    assert len(await tasks(bench, queue="email")) == before


async def test_a_cancelled_batch_takes_the_children_of_its_tasks_along(bench: Bench) -> None:
    """They are not counted by it, and go with it."""
    batch_id = await bench.order_batch(jobs.family, [{"deep": 1}] * 2)
    running = [await start_one(bench) for _ in range(2)]

    async def are_born() -> bool:
        return len(await tasks(bench)) == 4

    await wait_until(are_born, within=10)
    await bench.cancel_batch(batch_id)
    async with asyncio.timeout(5):
        await asyncio.gather(*running)

    assert await states(bench) == {State.CANCELLED: 4}
    assert counted(await bench.batch(batch_id)) == await true_numbers(bench, batch_id)


async def test_a_list_shows_the_children_of_a_task(live: Live) -> None:
    """Where the console, and everybody else, find them."""
    user = await live.user("parent", scopes=("task:test.family",))
    parent = await user.order("test.family", deep=1, wide=3, stay=False)
    await live.work()

    page = await user.get("/api/v1/tasks", params={"parent_id": parent})

    assert [item["parent_id"] for item in page.json()["items"]] == [parent] * 3
