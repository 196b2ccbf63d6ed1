"""The lane ``local``: the same rows and promises, in the web process."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr

from support import jobs
from support.engine import Bench
from support.live import Live, live_settings, running_live
from support.servers import free_port
from support.system import System
from support.waiting import wait_until
from tasuki.core.database import Database
from tasuki.core.errors import ValidationFailed
from tasuki.tasks import State, Task, TaskRecord, TaskService
from tasuki.tasks.errors import TaskAlreadyRunning, TaskFinished, TaskNotFound
from tasuki.tasks.records import TaskEvent
from tasuki.tasks.settings import TasksSettings
from tasuki.tasks.states import LANES
from tasuki.wiring import Settings, Tasuki

STOPPED = {0, -signal.SIGTERM}  # uvicorn passes its signal on

# In one process


async def ended(tasuki: Tasuki, task_id: UUID, *, within: float = 20) -> TaskRecord:
    """Wait until a task has ended and return its record."""

    async def look() -> TaskRecord | None:
        record = await tasuki.status(task_id)
        return record if record.state.is_terminal else None

    found = await wait_until(look, within=within, what=f"the end of {task_id}")
    assert found is not None
    return found


async def events_of(tasuki: Tasuki, task_id: UUID) -> list[TaskEvent]:
    async with tasuki.services.get(Database).unit_of_work() as session:
        return await tasuki.services.get(TaskService).events_after(session, task_id, 0)


async def test_the_manager_runs_a_task_and_still_knows_it_after_its_end(live: Live) -> None:
    """The guide forgets a task that has ended, so that nobody learns what became of it."""
    manager = live.tasuki.manager

    handle = await manager.add("greeting", jobs.echo, text="hi")

    await ended(live.tasuki, handle.id)
    record = await manager.status("greeting")
    assert (record.id, record.state, record.lane) == (handle.id, State.SUCCEEDED, "local")
    assert record.result == {"text": "hi"}
    events = await events_of(live.tasuki, handle.id)
    assert [event.type for event in events] == ["queued", "started", "succeeded"]


async def test_a_task_ordered_in_ones_own_transaction_may_be_local(live: Live) -> None:
    """`enqueue` takes the lane like any other option, and the order counts with the commit."""
    async with live.database.unit_of_work() as session:
        handle = await live.tasuki.enqueue(session, jobs.echo, text="hi", lane="local")  # type: ignore[call-overload]  # an option beside typed arguments
        await asyncio.sleep(0)
        assert (
            await live.tasuki.services.get(TaskService).get(session, handle.id, owner_id=None)
        ).state is State.QUEUED

    assert (await ended(live.tasuki, handle.id)).result == {"text": "hi"}


async def test_a_delayed_local_task_waits_for_its_time(live: Live) -> None:
    """Time lives in the row, in this lane as in the others."""
    task = jobs.echo.having(delay=timedelta(seconds=0.5))

    handle = await live.tasuki.manager.add("later", task)

    assert (await live.tasuki.manager.status("later")).state is State.SCHEDULED
    await ended(live.tasuki, handle.id)
    kinds = [event.type for event in await events_of(live.tasuki, handle.id)]
    assert kinds == ["scheduled", "queued", "started", "succeeded"]


async def test_a_key_refuses_a_second_run_until_the_first_has_ended(
    live: Live, tmp_path: Path
) -> None:
    """Two clicks on one button start one run; a third, after it, starts the next."""
    manager, hold = live.tasuki.manager, tmp_path / "hold"
    first = await manager.add("import-7", jobs.steps, hold=str(hold))

    with pytest.raises(TaskAlreadyRunning):
        await manager.add_task("import-7", jobs.steps)

    hold.touch()
    await ended(live.tasuki, first.id)
    second = await manager.add_task("import-7", jobs.steps)
    assert (await manager.status("import-7")).id == second.id != first.id
    await ended(live.tasuki, second.id)


async def test_a_key_in_use_is_409_over_http(live: Live, tmp_path: Path) -> None:
    """The same key is refused whoever asks for it, in whatever lane."""
    admin = await live.user("boss", role="admin")
    hold = tmp_path / "hold"
    handle = await live.tasuki.manager.add("import-7", jobs.steps, hold=str(hold))

    answer = await admin.post(
        "/api/v1/tasks", json={"name": "test.steps", "args": {}, "unique_key": "import-7"}
    )

    assert (answer.status_code, answer.json()["code"]) == (409, "task_already_running")
    hold.touch()
    await ended(live.tasuki, handle.id)


async def test_a_running_local_task_is_cancelled_and_cleans_up(live: Live, tmp_path: Path) -> None:
    """P6 holds here too: interrupted at its next await, within two seconds."""
    file = tmp_path / "lines"
    handle = await live.tasuki.manager.add("wait", jobs.wait, file=str(file))
    await wait_until(lambda: exists(file), within=10)

    await live.tasuki.manager.cancel("wait")

    assert (await ended(live.tasuki, handle.id, within=2)).state is State.CANCELLED
    assert file.read_text().splitlines()[-1] == f"{handle.id} cleaned up"
    with pytest.raises(TaskFinished):
        await live.tasuki.manager.cancel("wait")


async def test_a_stranger_finds_no_task_by_its_key(live: Live) -> None:
    """A key is easily guessed; it is no way around the owner."""
    manager = live.tasuki.manager
    handle = await manager.add("mine", jobs.echo.having(owner_id=1))
    await ended(live.tasuki, handle.id)

    assert (await manager.status("mine", owner_id=1)).id == handle.id
    for call in (manager.status, manager.cancel):
        with pytest.raises(TaskNotFound):
            await call("mine", owner_id=2)
    with pytest.raises(TaskNotFound):
        await manager.status("nobody's")


async def test_a_failing_task_leaves_its_neighbours_alone(live: Live, tmp_path: Path) -> None:
    """With Starlette's background tasks, one that fails takes those after it along."""
    manager, hold = live.tasuki.manager, tmp_path / "hold"
    before = await manager.add("before", jobs.steps, hold=str(hold))
    bad = await manager.add("bad", jobs.fail, fatal=True)
    slow = await manager.add("slow", jobs.slow)
    after = await manager.add("after", jobs.echo)

    assert (await ended(live.tasuki, bad.id)).state is State.FAILED
    assert (await ended(live.tasuki, slow.id)).state is State.TIMED_OUT
    assert (await ended(live.tasuki, after.id)).state is State.SUCCEEDED
    hold.touch()
    assert (await ended(live.tasuki, before.id)).state is State.SUCCEEDED


async def test_no_more_run_at_once_than_the_setting_says(
    tmp_path: Path, database_url: str, redis_url: str
) -> None:
    """A flood of short work must leave the loop to the requests."""
    settings = live_settings(database_url, redis_url, tmp_path)
    tasks = settings.tasks.model_copy(update={"local_concurrency": 2})
    file, hold = tmp_path / "lines", tmp_path / "hold"
    async with running_live(settings.model_copy(update={"tasks": tasks})) as live:
        handles = [
            await live.tasuki.manager.add(f"mark-{n}", jobs.mark, file=str(file), hold=str(hold))
            for n in range(6)
        ]

        async def running() -> int:
            records = [await live.tasuki.status(handle.id) for handle in handles]
            return sum(record.state is State.RUNNING for record in records)

        await wait_until(lambda: at_least(running, 2), within=10)
        # A lane that took more would have done so in the time in which it looks again.
        await asyncio.sleep(3 * tasks.look_every_s)
        assert await running() == 2
        assert len(file.read_text().splitlines()) == 2
        hold.touch()
        for handle in handles:
            assert (await ended(live.tasuki, handle.id)).state is State.SUCCEEDED


async def test_a_busy_queue_does_not_keep_another_waiting(
    tmp_path: Path, database_url: str, redis_url: str
) -> None:
    """Queues take turns, so that a long one cannot starve a short one."""
    settings = live_settings(database_url, redis_url, tmp_path)
    tasks = settings.tasks.model_copy(update={"local_concurrency": 1})
    async with running_live(settings.model_copy(update={"tasks": tasks})) as live:
        async with live.database.unit_of_work() as session:
            many = jobs.echo.having(lane="local")
            for _ in range(60):
                await live.tasuki.enqueue(session, many)
            one = await live.tasuki.enqueue(session, jobs.echo.having(lane="local", queue="email"))
        record = await ended(live.tasuki, one.id)
        async with live.database.driver() as connection:
            earlier = await connection.fetchval(
                "SELECT count(*) FROM tasks WHERE started_at < $1", record.started_at
            )
        assert earlier <= 10


async def test_a_worker_of_another_lane_leaves_local_tasks_alone(
    database: Database, tmp_path: Path
) -> None:
    """What was meant for the web process runs there, though a worker is idle."""
    bench = Bench(database, tmp_path, TasksSettings(lease_s=2))
    handle = await bench.order(jobs.echo.having(lane="local"))

    assert await bench.run_due() == 0
    assert await bench.run_due(lane="local") == 1
    assert (await bench.record(handle.id)).state is State.SUCCEEDED


async def test_an_unknown_lane_is_refused(live: Live) -> None:
    """A row in a lane that nobody serves would wait for ever."""
    lane: Any = "moon"
    async with live.database.unit_of_work() as session:
        with pytest.raises(ValidationFailed, match="lane"):
            await live.tasuki.enqueue(session, jobs.echo.having(lane=lane))


# In processes of their own


@asynccontextmanager
async def ordering(system: System, *, max_crashes: int = 3) -> AsyncGenerator[Tasuki]:
    """A program that orders and looks, beside a system's processes."""
    settings = Settings(
        database_url=SecretStr(system.database_url),
        redis_url=SecretStr(system.redis_url),
        data_dir=system.folder,
        tasks=TasksSettings(modules=("support.jobs",), max_crashes=max_crashes),
    )
    async with Tasuki(settings).connected() as tasuki:
        yield tasuki


async def order(tasuki: Tasuki, task: Task[..., Any], **args: Any) -> UUID:
    async with tasuki.services.get(Database).unit_of_work() as session:
        return (await tasuki.enqueue(session, task, **args)).id


async def exists(path: Path) -> bool:
    return path.exists()


async def at_least(count: Any, least: int) -> bool:
    return bool(await count() >= least)


def story(events: list[TaskEvent]) -> list[tuple[str, Any]]:
    """Return what watchers are told, without what must differ: times, names, how often."""
    told: list[tuple[str, Any]] = []
    for event in events:
        if event.type == "progress":  # coalesced by time; the last one is in the record
            continue
        data = {key: value for key, value in event.data.items() if key != "available_at"}
        told.append((event.type, None if event.type == "started" else data))
    return told


async def test_the_same_function_has_the_same_life_in_every_lane(system: System) -> None:
    """P8: in the web process, in a worker's threads or in a child of its own."""
    system.web()
    system.worker("io")
    system.worker("cpu", "--concurrency", "1")
    stories: dict[str, list[Any]] = {}
    async with ordering(system) as tasuki:
        for lane in LANES:
            stories[lane] = []
            for task, args in (
                (jobs.steps, {"count": 3}),
                (jobs.fail, {"until": 2}),
                (jobs.fail, {}),
                (jobs.slow, {}),
                (jobs.file_of, {"text": "whole"}),
            ):
                task_id = await order(tasuki, task.having(lane=lane, queue="reports"), **args)
                record = await ended(tasuki, task_id, within=30)
                events = await events_of(tasuki, task_id)
                assert record.lane == lane
                started = [event.data for event in events if event.type == "started"]
                assert {data["lane"] for data in started} == {lane}
                assert all(data["worker"].startswith(f"{lane}@") for data in started)
                artifact = record.artifact and (record.artifact.name, record.artifact.sha256)
                told = [(kind, kind == "artifact" or data) for kind, data in story(events)]
                outcome = (record.state, record.result, record.error, record.attempt)
                stories[lane].append((*outcome, record.progress, artifact, told))

    assert [outcome[0] for outcome in stories["local"]] == [
        State.SUCCEEDED,
        State.SUCCEEDED,
        State.FAILED,
        State.TIMED_OUT,
        State.SUCCEEDED,
    ]
    assert stories["local"] == stories["io"] == stories["cpu"]


async def test_what_a_killed_web_process_leaves_is_finished_by_another(
    system: System, tmp_path: Path
) -> None:
    """P1: the lease ends, somebody reaps, and a web process that lives takes it up."""
    file, hold = tmp_path / "lines", tmp_path / "hold"
    first = system.web()
    async with ordering(system) as tasuki:
        task_id = await order(
            tasuki, jobs.mark.having(lane="local"), file=str(file), hold=str(hold)
        )
        await wait_until(lambda: exists(file), within=10)
        second = system.web()

        first.kill()
        hold.touch()

        record = await ended(tasuki, task_id)
    assert (record.state, record.attempt, record.crash_count) == (State.SUCCEEDED, 2, 1)
    pids = [int(line.split()[2]) for line in file.read_text().splitlines()]
    assert pids == [first.process.pid, second.process.pid]


async def test_a_web_process_that_stops_lets_short_tasks_end(
    system: System, tmp_path: Path
) -> None:
    """A deploy does not interrupt what would have ended in a moment."""
    file, hold = tmp_path / "lines", tmp_path / "hold"
    web = system.web()
    async with ordering(system) as tasuki:
        task_id = await order(
            tasuki, jobs.mark.having(lane="local"), file=str(file), hold=str(hold)
        )
        await wait_until(lambda: exists(file), within=10)

        os.kill(web.process.pid, signal.SIGTERM)
        # Ordered while it stops: it must be left to others.
        late = await order(tasuki, jobs.echo.having(lane="local", delay=timedelta(seconds=0.3)))
        hold.touch()

        assert await asyncio.to_thread(web.process.wait, 10) in STOPPED
        record = await tasuki.status(task_id)
        assert (record.state, record.attempt) == (State.SUCCEEDED, 1)
        assert not (await tasuki.status(late)).state.is_terminal


async def test_what_outlasts_a_stop_begins_again_elsewhere_uncounted(
    system: System, tmp_path: Path
) -> None:
    """The task did nothing wrong, so neither its attempts nor its crashes grow."""
    file, hold = tmp_path / "lines", tmp_path / "hold"
    first = system.web(TASUKI_WEB__DRAIN_S="0.5")
    async with ordering(system) as tasuki:
        task_id = await order(
            tasuki, jobs.mark.having(lane="local"), file=str(file), hold=str(hold)
        )
        await wait_until(lambda: exists(file), within=10)
        second = system.web()

        assert await asyncio.to_thread(first.stop) in STOPPED
        hold.touch()

        record = await ended(tasuki, task_id)
    assert (record.state, record.attempt, record.crash_count) == (State.SUCCEEDED, 1, 0)
    lines = [line.split() for line in file.read_text().splitlines()]
    assert [int(pid) for *_, pid in lines] == [first.process.pid, second.process.pid]


async def test_a_task_that_kills_web_processes_is_given_up(system: System, tmp_path: Path) -> None:
    """P4: a poisoned task ends, though no watchdog guards a web process."""
    file = tmp_path / "lines"
    system.scheduler()
    async with ordering(system, max_crashes=2) as tasuki:
        task_id = await order(tasuki, jobs.poison.having(lane="local"), file=str(file))
        for _ in range(2):
            web = system.web()
            assert await asyncio.to_thread(web.process.wait, 20) == -signal.SIGKILL

        record = await ended(tasuki, task_id)
    assert (record.state, record.crash_count) == (State.CRASHED, 2)
    assert len(file.read_text().splitlines()) == 2


async def test_the_scheduler_leaves_local_tasks_to_web_processes(system: System) -> None:
    """It rings for them, and that is all: it serves nobody, so it lends its loop to nobody."""
    system.scheduler()
    async with ordering(system) as tasuki:
        task_id = await order(tasuki, jobs.echo.having(lane="local"))

        async def is_rung() -> bool:
            async with tasuki.services.get(Database).driver() as connection:
                rings: int = await connection.fetchval(
                    "SELECT rings FROM tasks WHERE id = $1", task_id
                )
            return rings >= 2

        await wait_until(is_rung, within=10)
        assert (await tasuki.status(task_id)).state is State.QUEUED

        system.web()
        assert (await ended(tasuki, task_id)).state is State.SUCCEEDED


def test_no_worker_serves_the_local_lane(system: System) -> None:
    """The broker has no queue for it; a worker of it would wait for ever."""
    refused = system.command("worker", "--lane", "local")

    assert refused.returncode != 0
    assert "io, cpu" in refused.stderr


async def test_local_tasks_run_while_the_broker_is_away(system: System) -> None:
    """They need no broker, so its failure must not be theirs."""
    system.web(TASUKI_BROKER_URL=f"redis://127.0.0.1:{free_port()}/0")
    async with ordering(system) as tasuki:
        waiting = await order(tasuki, jobs.echo)
        task_id = await order(tasuki, jobs.echo.having(lane="local"))

        assert (await ended(tasuki, task_id, within=10)).state is State.SUCCEEDED
        assert (await tasuki.status(waiting)).state is State.QUEUED
