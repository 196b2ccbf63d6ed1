"""A task finds what it works with by its class: ``ctx.get(Stock)``."""

from pathlib import Path

from fundamentals import jobs
from fundamentals.conftest import Ended
from support.live import Live, live_settings
from support.waiting import wait_until
from tasuki import Tasuki
from tasuki.core.database import Database
from tasuki.tasks import TaskRecord


async def test_a_module_provides_a_service_to_its_tasks_in_every_process(
    shop: Live, ended: Ended
) -> None:
    """It is made once in a process: the worker's shelf gets emptier, the web's stays full."""
    async with shop.database.unit_of_work() as session:
        first = await shop.tasuki.enqueue(session, jobs.pack, item="Tea")
        second = await shop.tasuki.enqueue(session, jobs.pack, item="Tea")
        here = await shop.tasuki.enqueue(session, jobs.pack.having(lane="local"), item="Tea")

    left = [(await ended(handle.id)).result for handle in (first, second, here)]

    assert sorted(left[:2]) == [1, 2]
    assert left[2] == 2


async def test_an_application_provides_what_only_it_knows(
    tmp_path: Path, database_url: str, redis_url: str
) -> None:
    """`provide` is for its own process, before the start: here, tasks of the lane `local`."""
    tasuki = Tasuki(live_settings(database_url, redis_url, tmp_path, modules=(jobs.__name__,)))
    tasuki.provide(jobs.Oracle, jobs.Oracle)

    async with tasuki.serving():
        async with tasuki.services.get(Database).unit_of_work() as session:
            task = jobs.ask_the_oracle.having(lane="local")
            handle = await tasuki.enqueue(session, task)

        async def ended() -> TaskRecord | None:
            record = await tasuki.status(handle.id)
            return record if record.state.is_terminal else None

        record = await wait_until(ended, within=10)

    assert record is not None
    assert (record.state, record.error) == ("succeeded", None)


async def test_an_error_names_what_nobody_provided(shop: Live, ended: Ended) -> None:
    """The one who forgot a service reads in the record which one it was."""
    async with shop.database.unit_of_work() as session:
        handle = await shop.tasuki.enqueue(session, jobs.ask_the_oracle)

    record = await ended(handle.id)

    assert record.error is not None
    assert record.error["message"].startswith("no Oracle was provided; there is: ")
