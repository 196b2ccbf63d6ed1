"""Schedules on a real database: each slot once, whoever asks and whoever dies."""

import asyncio
import signal
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from support import jobs
from support.client import Client
from support.engine import Bench
from support.system import System
from support.waiting import wait_until
from tasuki.core.database import Database
from tasuki.core.errors import NotFound
from tasuki.tasks.records import TaskFilter
from tasuki.tasks.schedules import CatchUp, Every, Schedule, Scheduler, ScheduleService
from tasuki.tasks.settings import TasksSettings

EVERY_SECOND = Schedule(
    name="tick", task=jobs.echo, at=Every(timedelta(seconds=1)), catch_up=CatchUp.ALL
)


@pytest.fixture
async def bench(database: Database, tmp_path: Path) -> Bench:
    """Something that takes orders."""
    return Bench(database, tmp_path, TasksSettings())


def service(bench: Bench) -> ScheduleService:
    """Return the service of one more process."""
    return ScheduleService(schedules=[EVERY_SECOND], tasks=bench.service)


async def orders(bench: Bench) -> list[str]:
    """Return the idempotency keys of all orders: one a slot."""
    async with bench.database.unit_of_work() as session:
        rows = await session.connection()
        found = await rows.exec_driver_sql(
            "SELECT idempotency_key FROM tasks ORDER BY idempotency_key"
        )
        return [key for (key,) in found]


async def test_ten_schedulers_order_each_slot_once(bench: Bench) -> None:
    """However many run and whenever one is cancelled, a slot is neither lost nor doubled."""
    running: list[asyncio.Task[None]] = []
    for _ in range(10):
        scheduler = Scheduler(database=bench.database, schedules=service(bench))
        running.append(asyncio.create_task(scheduler.run_for_ever()))

    async def has_some() -> bool:
        found = len(await orders(bench))
        for scheduler_task in running[: min(found, 8)]:
            scheduler_task.cancel()
        return found >= 5

    await wait_until(has_some, within=20)
    for scheduler_task in running:
        scheduler_task.cancel()
    await asyncio.gather(*running, return_exceptions=True)

    slots = [key.rpartition("T")[2] for key in await orders(bench)]
    assert len(slots) == len(set(slots))
    seconds = [int(slot[6:8]) + 60 * int(slot[3:5]) for slot in slots]
    assert seconds == list(range(seconds[0], seconds[0] + len(seconds)))


async def test_a_schedule_that_is_off_orders_nothing_and_makes_up_nothing(bench: Bench) -> None:
    """Switched on again it goes on with the next slot."""
    schedules = service(bench)
    async with bench.database.unit_of_work() as session:
        await schedules.prepare(session)
        off = await schedules.switch(session, "tick", enabled=False)
    assert (off.enabled, off.next_run_at) == (False, None)

    async def a_slot_has_passed() -> bool:
        async with bench.database.unit_of_work() as session:
            assert await schedules.order_due(session, "tick") == []
            (status,) = await schedules.status(session)
            now = await bench.service._tasks.now(session)
        assert status.last_run_at is None
        return now > started + timedelta(seconds=2)

    async with bench.database.unit_of_work() as session:
        started = await bench.service._tasks.now(session)
    await wait_until(a_slot_has_passed, within=10)

    async with bench.database.unit_of_work() as session:
        on = await schedules.switch(session, "tick", enabled=True)
        assert await schedules.order_due(session, "tick") == []
    assert on.enabled
    assert on.next_run_at is not None
    assert await orders(bench) == []


async def test_an_unknown_schedule_is_named_with_those_there_are(bench: Bench) -> None:
    """The answer says how to mend it."""
    async with bench.database.unit_of_work() as session:
        with pytest.raises(NotFound, match="tick"):
            await service(bench).switch(session, "tock", enabled=False)


def test_two_schedules_of_one_name_are_refused(bench: Bench) -> None:
    """Their slots could not be told apart."""
    with pytest.raises(ValueError, match="same name"):
        ScheduleService(schedules=[EVERY_SECOND, EVERY_SECOND], tasks=bench.service)


async def test_an_order_that_fails_is_not_lost(bench: Bench) -> None:
    """The slot moves on only in the transaction that orders it."""
    schedules = service(bench)
    async with bench.database.unit_of_work() as session:
        await schedules.prepare(session)

    async def order_and_fail() -> int:
        async with bench.database.unit_of_work() as session:
            slots = await schedules.order_due(session, "tick")
            if slots:
                raise ConnectionAbortedError("died before the commit")
        return 0

    async def has_failed() -> bool:
        try:
            await order_and_fail()
        except Exception:  # noqa: BLE001  # whatever it became on its way out
            return True
        return False

    await wait_until(has_failed, within=10)
    assert await orders(bench) == []

    async with bench.database.unit_of_work() as session:
        assert await schedules.order_due(session, "tick")
        page = await bench.service.page(session, TaskFilter(), before=None, limit=100)
    assert Counter(record.name for record in page).keys() == {"test.echo"}


async def test_the_clean_ups_run_on_schedules_of_a_real_system(
    system: System, admin: Client
) -> None:
    """Seen and switched by HTTP and on the command line."""
    scheduler = system.scheduler()

    async def names() -> set[str]:
        items = (await admin.get("/api/v1/schedules")).json()["items"]
        return {item["name"] for item in items if item["enabled"] and item["next_run_at"]}

    assert {"accounts.cleanup_expired_sessions", "tasks.cleanup"} <= await names()
    switched = await admin.patch("/api/v1/schedules/tasks.cleanup", json={"enabled": False})
    assert (switched.status_code, switched.json()["enabled"]) == (200, False)
    assert "tasks.cleanup" not in await names()

    listed = system.command("schedule", "list")
    assert "tasks.cleanup" in listed.stdout
    enabled = system.command("schedule", "enable", "tasks.cleanup")
    assert (enabled.returncode, "is on" in enabled.stdout) == (0, True)
    wrong = system.command("schedule", "enable", "nothing")
    assert (wrong.returncode, "tasks.cleanup" in wrong.stderr) == (1, True)
    scheduler.signal(signal.SIGTERM)
    assert scheduler.process.wait(10) == 0
