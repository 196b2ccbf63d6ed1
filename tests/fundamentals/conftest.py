"""A shop: an application of one's own with Tasuki in it, and a worker that works when told."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from uuid import UUID

import pytest

from fundamentals import jobs
from support.live import Live, live_settings, running_live
from support.waiting import wait_until
from tasuki.tasks import TaskRecord

Ended = Callable[[UUID], Awaitable[TaskRecord]]


@pytest.fixture
async def shop(tmp_path: Path, database_url: str, redis_url: str) -> AsyncGenerator[Live]:
    settings = live_settings(database_url, redis_url, tmp_path, modules=(jobs.__name__,))
    async with running_live(settings) as live:
        yield live


@pytest.fixture
def ended(shop: Live) -> Ended:
    """Work until a task has ended, and return its record."""

    async def work(task_id: UUID) -> TaskRecord:
        async def look() -> TaskRecord | None:
            await shop.work()
            record = await shop.tasuki.status(task_id)
            return record if record.state.is_terminal else None

        found = await wait_until(look, within=10)
        assert found is not None
        return found

    return work
