"""A task that nobody wants any more is cancelled, whether it waits or runs."""

from fundamentals import jobs
from support.live import Live
from support.waiting import wait_until


async def test_a_task_that_waits_is_cancelled_at_once(shop: Live) -> None:
    """No worker is needed for it."""
    async with shop.database.unit_of_work() as session:
        handle = await shop.tasuki.enqueue(session, jobs.watch)

    await shop.tasuki.cancel(handle.id)

    assert (await shop.tasuki.status(handle.id)).state == "cancelled"


async def test_a_task_that_runs_stops_at_its_next_step(shop: Live) -> None:
    """Every `await` is such a place; in code that computes, `checkpoint` is."""
    async with shop.database.unit_of_work() as session:
        handle = await shop.tasuki.enqueue(session, jobs.watch)

    async def is_running() -> bool:
        return (await shop.tasuki.status(handle.id)).state == "running"

    async with shop.working():
        await wait_until(is_running, within=5)
        await shop.tasuki.cancel(handle.id)

    assert (await shop.tasuki.status(handle.id)).state == "cancelled"
