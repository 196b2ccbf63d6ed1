"""Short work needs no worker: the lane ``local`` runs it in the web process, on the same rows."""

import pytest

from fundamentals import jobs
from support.live import Live
from support.waiting import wait_until
from tasuki.tasks import TaskRecord
from tasuki.tasks.errors import TaskAlreadyRunning


async def test_the_manager_starts_a_task_here_under_a_name_of_yours(shop: Live) -> None:
    """No worker is at work in this test, and the record is there when the work is over."""
    await shop.tasuki.manager.add("invoice-7", jobs.invoice, order_id=7)

    async def ended() -> TaskRecord | None:
        record = await shop.tasuki.manager.status("invoice-7")
        return record if record.state.is_terminal else None

    record = await wait_until(ended, within=10)
    assert record is not None
    assert (record.state, record.lane) == ("succeeded", "local")
    assert record.result == {"order_id": 7, "copies": 1}


async def test_a_name_in_use_is_refused_and_free_after_a_cancel(shop: Live) -> None:
    """Two clicks on one button start one run."""
    manager = shop.tasuki.manager
    await manager.add("watch-7", jobs.watch)

    with pytest.raises(TaskAlreadyRunning):
        await manager.add("watch-7", jobs.watch)

    await manager.cancel("watch-7")

    async def is_cancelled() -> bool:
        return (await manager.status("watch-7")).state == "cancelled"

    await wait_until(is_cancelled, within=10)
    await manager.add("watch-7", jobs.watch)
