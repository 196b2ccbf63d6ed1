"""The engine while the database is away, and what becomes of leases then."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from support import jobs
from support.engine import Bench
from support.waiting import wait_until
from tasuki.core.database import Database
from tasuki.core.errors import Unavailable
from tasuki.tasks.engine.emergency import Emergency
from tasuki.tasks.engine.repository import End, EngineRepository
from tasuki.tasks.settings import TasksSettings
from tasuki.tasks.states import State


class Flaky(EngineRepository):
    """The engine's statements on a database that is away while a test says so."""

    is_away = False

    async def renew(self, held: Sequence[tuple[UUID, UUID]]) -> dict[UUID, bool]:
        """See `EngineRepository.renew`."""
        self._check()
        return await super().renew(held)

    async def note(self, *args: Any, **kwargs: Any) -> bool:
        """See `EngineRepository.note`."""
        self._check()
        return await super().note(*args, **kwargs)

    async def end(self, ends: Sequence[End]) -> Any:
        """See `EngineRepository.end`."""
        self._check()
        return await super().end(ends)

    def _check(self) -> None:
        if self.is_away:
            raise Unavailable("away")


@pytest.fixture
async def bench(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[Bench]:
    """An engine with a short lease on a flaky database."""
    monkeypatch.setattr("support.engine.EngineRepository", Flaky)
    settings = TasksSettings(lease_s=1.5, cancel_grace_s=0.3, ring_again_s=0.5, look_every_s=0.1)
    made = Bench(database, tmp_path, settings)
    beating = asyncio.create_task(made.runner.beat_for_ever())
    yield made
    beating.cancel()


def flaky(bench: Bench) -> Flaky:
    """Return the switch of the bench's database."""
    assert isinstance(bench.repository, Flaky)
    return bench.repository


async def has_lines(log: Path, count: int) -> bool:
    """Whether a file has so many lines."""
    return log.exists() and len(log.read_text().splitlines()) >= count


async def test_an_end_waits_for_the_database(bench: Bench, tmp_path: Path) -> None:
    """A short absence costs nothing: the end is written when it is back."""
    log, hold = tmp_path / "log", tmp_path / "hold"
    handle = await bench.order(jobs.mark, file=str(log), hold=str(hold))
    running = asyncio.create_task(bench.run_due())
    await wait_until(lambda: has_lines(log, 1), within=5)

    flaky(bench).is_away = True
    hold.touch()
    began = time.monotonic()
    await wait_until(lambda: _passed(began, 0.4), within=2)
    assert (await bench.record(handle.id)).state is State.RUNNING
    flaky(bench).is_away = False
    await running

    assert (await bench.record(handle.id)).state is State.SUCCEEDED


async def test_a_worker_without_a_database_lets_go_before_its_lease_ends(
    bench: Bench, tmp_path: Path
) -> None:
    """Somebody else may get the task then; two at once must not happen."""
    log = tmp_path / "log"
    handle = await bench.order(jobs.wait, file=str(log))
    running = asyncio.create_task(bench.run_due())
    await wait_until(lambda: has_lines(log, 1), within=5)

    flaky(bench).is_away = True
    async with asyncio.timeout(3):
        await running
    assert "cleaned up" in log.read_text()
    flaky(bench).is_away = False

    async def is_queued_again() -> bool:
        await bench.reaper.go_round()
        return (await bench.record(handle.id)).state is State.QUEUED

    await wait_until(is_queued_again, within=5)
    assert (await bench.record(handle.id)).crash_count == 1


async def test_an_end_that_cannot_be_written_is_given_up_with_the_lease(
    bench: Bench, tmp_path: Path
) -> None:
    """The task then runs again; nothing waits for ever."""
    log, hold = tmp_path / "log", tmp_path / "hold"
    handle = await bench.order(jobs.mark, file=str(log), hold=str(hold))
    running = asyncio.create_task(bench.run_due())
    await wait_until(lambda: has_lines(log, 1), within=5)

    flaky(bench).is_away = True
    hold.touch()
    async with asyncio.timeout(10):
        await running
    flaky(bench).is_away = False

    async def is_queued_again() -> bool:
        await bench.reaper.go_round()
        return (await bench.record(handle.id)).state is State.QUEUED

    await wait_until(is_queued_again, within=5)


async def test_what_a_task_says_meanwhile_is_not_lost(bench: Bench, tmp_path: Path) -> None:
    """Log lines and progress wait too, and stay in order."""
    hold = tmp_path / "hold"
    flaky(bench).is_away = True
    handle = await bench.order(jobs.steps, count=3, hold=str(hold))
    running = asyncio.create_task(bench.run_due())

    async def is_running() -> bool:
        return (await bench.record(handle.id)).state is State.RUNNING

    await wait_until(is_running, within=5)
    flaky(bench).is_away = False
    hold.touch()
    await running

    events = await bench.events(handle.id)
    lines = [event.data["message"] for event in events if event.type == "log"]
    assert lines == ["line 0", "line 1", "line 2"]
    assert [event.seq for event in events] == list(range(1, len(events) + 1))


async def test_a_task_that_lost_its_lease_is_interrupted_at_its_next_word(
    bench: Bench, tmp_path: Path
) -> None:
    """The database refuses what it says, and the engine draws the conclusion."""
    log = tmp_path / "log"
    handle = await bench.order(jobs.wait, file=str(log))
    running = asyncio.create_task(bench.run_due())
    await wait_until(lambda: has_lines(log, 1), within=5)
    (run,) = bench.runner.runs

    await bench.repository.give_up(run.claimed.id, run.claimed.token)
    await bench.reaper.go_round()
    assert run.reporter is not None
    run.reporter.log("info", "still there?")
    async with asyncio.timeout(5):
        await running

    record = await bench.record(handle.id)
    assert (record.state, record.crash_count) == (State.QUEUED, 1)
    kinds = [event.type for event in await bench.events(handle.id)]
    assert kinds == ["queued", "started", "queued"]


async def test_last_words_charge_the_guilty_alone(
    bench: Bench, database: Database, database_url: str, tmp_path: Path
) -> None:
    """A process that ends itself because of one task gives the others back uncounted."""
    logs = [tmp_path / "guilty", tmp_path / "innocent"]
    handles = [await bench.order(jobs.wait, file=str(log)) for log in logs]
    running = asyncio.create_task(bench.run_due())
    for log in logs:
        await wait_until(lambda log=log: has_lines(log, 1), within=5)  # type: ignore[misc]  # bound at once
    runs = {run.claimed.id: run for run in bench.runner.runs}
    emergency = Emergency(
        connect=lambda: Database(database_url, pool_size=1, name="emergency"),
        repository=lambda connected: EngineRepository(connected, lease_s=2, retention_s=60),
    )

    await emergency.tell(runs[handles[0].id], [runs[handles[1].id]])
    await bench.reaper.go_round()
    await running

    guilty, innocent = [await bench.record(handle.id) for handle in handles]
    assert (guilty.state, guilty.crash_count) == (State.QUEUED, 1)
    assert (innocent.state, innocent.crash_count, innocent.attempt) == (State.QUEUED, 0, 0)
    del database


async def _passed(since: float, seconds: float) -> bool:
    return time.monotonic() - since >= seconds
