"""The engine on a real database: claims, leases, ends, retries, repairs."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from support import jobs
from support.engine import Bench
from support.waiting import wait_until
from tasuki.core.database import Database
from tasuki.core.errors import ValidationFailed
from tasuki.tasks.declare import EnqueueOptions
from tasuki.tasks.engine.repository import End
from tasuki.tasks.errors import (
    IdempotencyConflict,
    TaskAlreadyRunning,
    TaskFinished,
    TaskNotFound,
    UnknownTask,
)
from tasuki.tasks.records import TaskHandle
from tasuki.tasks.settings import TasksSettings
from tasuki.tasks.states import State


@pytest.fixture
async def bench(database: Database, tmp_path: Path) -> AsyncGenerator[Bench]:
    """An engine with short times."""
    settings = TasksSettings(lease_s=2, cancel_grace_s=0.3, ring_again_s=0.5, look_every_s=0.1)
    made = Bench(database, tmp_path, settings)
    beating = asyncio.create_task(made.runner.beat_for_ever())
    yield made
    beating.cancel()


async def test_a_task_goes_from_queued_to_succeeded(bench: Bench) -> None:
    """The plain case: every event in order, the result in the record."""
    handle = await bench.order(jobs.echo, text="hi")

    assert await bench.run_due() == 1

    record = await bench.record(handle.id)
    assert (record.state, record.result) == (State.SUCCEEDED, {"text": "hi"})
    assert record.started_at is not None
    assert record.finished_at is not None
    events = await bench.events(handle.id)
    assert [event.type for event in events] == ["queued", "started", "succeeded"]
    assert [event.seq for event in events] == [1, 2, 3]


async def test_higher_priority_runs_first(bench: Bench) -> None:
    """Priorities mean the same on every broker, because the row decides."""
    low = await bench.order(jobs.echo.having(priority=-5))
    high = await bench.order(jobs.echo.having(priority=5))

    claimed = await bench.repository.claim(
        worker="w", queue="default", lane="io", names=["test.echo"], most=1
    )

    assert [task.id for task in claimed] == [high.id]
    assert (await bench.record(low.id)).state is State.QUEUED


async def test_two_claims_never_get_the_same_task(bench: Bench) -> None:
    """P3: at most one holder at a time, however many bells ring."""
    ids = {(await bench.order(jobs.echo)).id for _ in range(20)}

    async def claim() -> list[object]:
        found = await bench.repository.claim(
            worker="w", queue="default", lane="io", names=["test.echo"], most=3
        )
        return [task.id for task in found]

    lots = await asyncio.gather(*(claim() for _ in range(10)))

    taken = [task_id for lot in lots for task_id in lot]
    assert len(taken) == len(set(taken))
    assert set(taken) <= ids


async def test_a_late_worker_changes_nothing(bench: Bench) -> None:
    """Fencing: the finish of a worker whose lease was given on is refused."""
    handle = await bench.order(jobs.echo)
    (first,) = await bench.repository.claim(
        worker="first", queue="default", lane="io", names=["test.echo"], most=1
    )
    await bench.repository.give_up(first.id, first.token)
    await bench.repository.reap()

    async def claim_again() -> list[object]:
        return list(
            await bench.repository.claim(
                worker="second", queue="default", lane="io", names=["test.echo"], most=1
            )
        )

    await wait_until(claim_again, within=5)
    late = End(id=first.id, token=first.token, state=State.SUCCEEDED, result_text='"late"')

    assert await bench.repository.end([late]) == []
    assert not await bench.repository.note(
        first.id, first.token, [("log", {"level": "info", "message": "late"})], progress=None
    )
    record = await bench.record(handle.id)
    assert (record.state, record.result, record.crash_count) == (State.RUNNING, None, 1)


async def test_a_failing_task_is_tried_again_and_then_failed(bench: Bench) -> None:
    """Retries live in the database; the record says why the last one failed."""
    handle = await bench.order(jobs.fail)

    async def run() -> bool:
        await bench.run_due()
        return (await bench.record(handle.id)).state.is_terminal

    await wait_until(run, within=10)

    record = await bench.record(handle.id)
    assert (record.state, record.attempt) == (State.FAILED, 3)
    assert record.error == {
        "kind": "error",
        "type": "RuntimeError",
        "message": "attempt 3",
        "retryable": True,
    }
    kinds = [event.type for event in await bench.events(handle.id)]
    assert kinds == ["queued", "started", "retrying", "started", "retrying", "started", "failed"]


async def test_a_retry_can_succeed(bench: Bench) -> None:
    """What failed once and then worked is a success, without a trace of an error."""
    handle = await bench.order(jobs.fail, until=2)

    async def run() -> bool:
        await bench.run_due()
        return (await bench.record(handle.id)).state.is_terminal

    await wait_until(run, within=10)

    record = await bench.record(handle.id)
    assert (record.state, record.result, record.error) == (State.SUCCEEDED, 2, None)


async def test_a_fatal_error_is_not_tried_again(bench: Bench) -> None:
    """`Fatal` says that another attempt would be of no use."""
    handle = await bench.order(jobs.fail, fatal=True)

    await bench.run_due()

    record = await bench.record(handle.id)
    assert (record.state, record.attempt) == (State.FAILED, 1)
    assert record.error is not None
    assert record.error["retryable"] is False


async def test_a_task_goes_on_later_with_all_its_tries_left(bench: Bench, tmp_path: Path) -> None:
    """Long work gives its place away between two steps; a crash before a step is forgotten."""
    handle = await bench.order(jobs.on_and_on, file=str(tmp_path / "steps"))
    (first,) = await bench.repository.claim(
        worker="w", queue="default", lane="io", names=["test.on_and_on"], most=1
    )
    await bench.repository.give_up(first.id, first.token)
    await bench.repository.reap()

    async def run() -> bool:
        await bench.run_due()
        return (await bench.record(handle.id)).state.is_terminal

    await wait_until(run, within=10)

    record = await bench.record(handle.id)
    assert (record.state, record.result) == (State.SUCCEEDED, 3)
    assert (record.attempt, record.crash_count) == (1, 0)


async def test_a_timeout_interrupts_and_clean_up_runs(bench: Bench, tmp_path: Path) -> None:
    """The body's `finally` runs before the task is called timed out."""
    log = tmp_path / "log"
    handle = await bench.order(jobs.slow, file=str(log))

    await bench.run_due()

    record = await bench.record(handle.id)
    assert record.state is State.TIMED_OUT
    assert record.error is not None
    assert record.error["kind"] == "timeout"
    assert "cleaned up" in log.read_text()


async def test_a_queued_task_is_cancelled_at_once(bench: Bench) -> None:
    """P6: no worker is needed to cancel what waits."""
    handle = await bench.order(jobs.echo)

    await bench.cancel(handle.id)

    assert (await bench.record(handle.id)).state is State.CANCELLED
    assert await bench.run_due() == 0
    with pytest.raises(TaskFinished):
        await bench.cancel(handle.id)


async def test_a_running_task_is_cancelled_by_notice(bench: Bench, tmp_path: Path) -> None:
    """P6: the interruption comes within two seconds, and the clean-up runs."""
    log, hold = tmp_path / "log", tmp_path / "hold"
    handle = await bench.order(jobs.wait, file=str(log), hold=str(hold))
    running = asyncio.create_task(bench.run_due())

    async def has_started() -> bool:
        return log.exists()

    await wait_until(has_started, within=5)
    await bench.cancel(handle.id)
    await bench.cancel(handle.id)  # twice is fine, as long as it has not ended
    hold.touch()
    async with asyncio.timeout(2):
        await running

    record = await bench.record(handle.id)
    assert record.state is State.CANCELLED
    assert "cleaned up" in log.read_text()
    kinds = [event.type for event in await bench.events(handle.id)]
    assert kinds == ["queued", "started", "cancelling", "cancelled"]


async def test_progress_is_coalesced_and_the_last_is_kept(bench: Bench) -> None:
    """A thousand steps are not a thousand rows, and no watcher misses the end."""
    handle = await bench.order(jobs.steps, count=500)

    await bench.run_due()

    events = [event for event in await bench.events(handle.id) if event.type == "progress"]
    assert len(events) < 50
    assert events[-1].data["current"] == 500
    record = await bench.record(handle.id)
    assert record.progress is not None
    assert record.progress["current"] == 500


async def test_log_lines_are_bounded(bench: Bench) -> None:
    """A chatty task cannot fill the database."""
    handle = await bench.order(jobs.steps, count=1500)

    await bench.run_due()

    events = await bench.events(handle.id)
    lines = [event.data["message"] for event in events if event.type == "log"]
    assert len(lines) == 1000
    assert "not kept" in lines[-1]


async def test_a_file_becomes_the_artifact(bench: Bench) -> None:
    """The record tells its length and checksum; the bytes are in the store."""
    handle = await bench.order(jobs.file_of, text="ありがとう", name="../おれい.txt")

    await bench.run_due()

    artifact = (await bench.record(handle.id)).artifact
    assert artifact is not None
    assert artifact.name == "おれい.txt"
    content = bench.artifacts.path(artifact.id).read_bytes()
    assert content.decode() == "ありがとう"
    assert artifact.size_bytes == len(content)
    assert artifact.sha256 == hashlib.sha256(content).hexdigest()


async def test_a_large_result_becomes_a_file(bench: Bench) -> None:
    """Results over 64 KB do not live in the row."""
    handle = await bench.order(jobs.large, size=100_000)

    await bench.run_due()

    record = await bench.record(handle.id)
    assert (record.state, record.result) == (State.SUCCEEDED, None)
    assert record.artifact is not None
    assert record.artifact.media_type == "application/json"
    assert record.artifact.size_bytes == 100_002


async def test_a_crashing_task_stops_at_the_cap(bench: Bench) -> None:
    """P4: a poison task is `crashed` after as many lost leases as it may have."""
    handle = await bench.order(jobs.echo)

    async def lose() -> bool:
        for last_chance in (False, True):
            for claimed in await bench.repository.claim(
                worker="w",
                queue="default",
                lane="io",
                names=["test.echo"],
                most=1,
                last_chance=last_chance,
            ):
                await bench.repository.give_up(claimed.id, claimed.token)
        await bench.reaper.go_round()
        return (await bench.record(handle.id)).state.is_terminal

    await wait_until(lose, within=10)

    record = await bench.record(handle.id)
    assert (record.state, record.crash_count, record.attempt) == (State.CRASHED, 3, 3)
    assert record.error is not None
    assert record.error["kind"] == "crash"


async def test_a_last_chance_runs_alone(bench: Bench, tmp_path: Path) -> None:
    """A task with one crash left waits for an empty process, and nothing starts beside it."""
    hold, log = tmp_path / "hold", tmp_path / "log"
    pump = bench.pump(room=2)
    other = await bench.order(jobs.mark, file=str(log), hold=str(hold))
    first = asyncio.create_task(pump.answer("default"))

    async def has_started() -> bool:
        return log.exists()

    await wait_until(has_started, within=5)
    alone = asyncio.create_task(pump.answer("default", last_chance=True))
    await asyncio.sleep(0)
    assert not alone.done()
    hold.touch()
    await asyncio.gather(first, alone)

    assert (await bench.record(other.id)).state is State.SUCCEEDED


async def test_bells_are_rung_again_for_what_nobody_took(bench: Bench) -> None:
    """A lost bell costs a delay and no task."""
    handle = await bench.order(jobs.echo)
    running = asyncio.create_task(bench.engine_for_ever())

    async def rung_twice() -> bool:
        return len(bench.ringer.bells) >= 2

    await wait_until(rung_twice, within=10)
    running.cancel()

    assert {bell.task_id for bell in bench.ringer.bells} == {handle.id}


async def test_a_broker_that_is_away_is_tried_again(bench: Bench) -> None:
    """P2: the order stands, and is rung when the broker is back."""
    bench.ringer.is_away = True
    running = asyncio.create_task(bench.engine_for_ever())
    handle = await bench.order(jobs.echo)

    async def has_failed() -> bool:
        return bench.dispatcher.failures > 1

    await wait_until(has_failed, within=10)
    bench.ringer.is_away = False

    async def is_rung() -> bool:
        return any(bell.task_id == handle.id for bell in bench.ringer.bells)

    await wait_until(is_rung, within=10)
    running.cancel()


async def test_a_delayed_task_waits_for_its_time(bench: Bench) -> None:
    """Time lives in the row: it is `scheduled` until then, and rung soon after."""
    handle = await bench.order(jobs.echo.having(delay=timedelta(seconds=0.5)))
    assert handle.state is State.SCHEDULED
    assert await bench.run_due() == 0
    running = asyncio.create_task(bench.engine_for_ever())

    async def is_rung() -> bool:
        return any(bell.task_id == handle.id for bell in bench.ringer.bells)

    await wait_until(is_rung, within=5)
    running.cancel()
    await bench.run_due()

    kinds = [event.type for event in await bench.events(handle.id)]
    assert kinds == ["scheduled", "queued", "started", "succeeded"]


async def test_what_nobody_took_in_time_expires(bench: Bench) -> None:
    """A task that lost its meaning is not run late."""
    handle = await bench.order(jobs.echo.having(expires=timedelta(seconds=0.2)))

    async def is_over() -> bool:
        await bench.reaper.go_round()
        return (await bench.record(handle.id)).state.is_terminal

    await wait_until(is_over, within=5)

    assert (await bench.record(handle.id)).state is State.EXPIRED
    assert await bench.run_due() == 0


async def test_retention_deletes_rows_events_and_files(database: Database, tmp_path: Path) -> None:
    """Expiry deletes it: nothing of an ended task is left after its time."""
    bench = Bench(database, tmp_path, TasksSettings(retention_s=1))
    handle = await bench.order(jobs.file_of, text="short lived")
    await bench.run_due()
    artifact = (await bench.record(handle.id)).artifact
    assert artifact is not None
    assert bench.artifacts.path(artifact.id).exists()

    async def is_gone() -> bool:
        await bench.reaper.go_round()
        return not bench.artifacts.path(artifact.id).exists()

    await wait_until(is_gone, within=5)

    with pytest.raises(TaskNotFound):
        await bench.record(handle.id)
    assert await bench.events(handle.id) == []


async def test_a_stray_file_is_swept(bench: Bench) -> None:
    """A file whose task was refused or died is found and deleted; others stay."""
    handle = await bench.order(jobs.file_of, text="kept")
    await bench.run_due()
    async with bench.artifacts.create("stray", "text/plain") as writer:
        await writer.write(b"stray")

    await bench.cleaner.sweep(older_than_s=-1)

    kept = (await bench.record(handle.id)).artifact
    assert kept is not None
    assert bench.artifacts.path(kept.id).exists()
    assert not bench.artifacts.path(writer.artifact.id).exists()


async def test_an_idempotency_key_finds_the_first_task(bench: Bench) -> None:
    """The same order twice is one task; another order under the key is refused."""
    first = await bench.order(jobs.echo.having(idempotency_key="k", owner_id=1), text="a")
    again = await bench.order(jobs.echo.having(idempotency_key="k", owner_id=1), text="a")
    other = await bench.order(jobs.echo.having(idempotency_key="k", owner_id=2), text="a")

    assert (again.id, again.is_new) == (first.id, False)
    assert other.id != first.id
    with pytest.raises(IdempotencyConflict):
        await bench.order(jobs.echo.having(idempotency_key="k", owner_id=1), text="b")


async def test_a_unique_key_is_held_until_the_end(bench: Bench) -> None:
    """One unfinished task a key; afterwards it is free."""
    await bench.order(jobs.echo.having(unique_key="only"))
    with pytest.raises(TaskAlreadyRunning):
        await bench.order(jobs.echo.having(unique_key="only"))

    await bench.run_due()

    assert (await bench.order(jobs.echo.having(unique_key="only"))).is_new


async def test_a_rolled_back_order_never_was(bench: Bench) -> None:
    """The row is part of the caller's own transaction."""
    handles: list[TaskHandle] = []

    async def order_and_regret() -> None:
        async with bench.database.unit_of_work() as session:
            handles.append(await bench.service.enqueue(session, jobs.echo, {"text": "x"}))
            raise RuntimeError("changed my mind")

    with pytest.raises(RuntimeError, match="changed my mind"):
        await order_and_regret()

    with pytest.raises(TaskNotFound):
        await bench.record(handles[0].id)
    assert await bench.run_due() == 0


async def test_bad_orders_say_what_is_wrong(bench: Bench) -> None:
    """Bad input gets an answer that says where and how to mend it."""
    async with bench.database.unit_of_work() as session:
        with pytest.raises(UnknownTask, match=r"test\.echo"):
            await bench.service.enqueue_by_name(session, "test.ecko", {}, EnqueueOptions())
        with pytest.raises(ValidationFailed, match="textt"):
            await bench.service.enqueue(session, jobs.echo, {"textt": "x"})
        for options in (
            EnqueueOptions(priority=101),
            EnqueueOptions(delay=timedelta(days=1000)),
            EnqueueOptions(queue="nowhere"),
            EnqueueOptions(idempotency_key=""),
            EnqueueOptions(unique_key="a\nb"),
            EnqueueOptions(tags=("",)),
        ):
            with pytest.raises(ValidationFailed):
                await bench.service.enqueue_by_name(session, "test.echo", {}, options)
        with pytest.raises(ValidationFailed, match="larger"):
            await bench.service.enqueue(session, jobs.echo, {"text": "x" * 300_000})


async def test_strange_text_is_stored_and_not_lost(bench: Bench) -> None:
    """U+0000 and half a surrogate pair are no reason to lose a task."""
    handle = await bench.order(jobs.echo, text="a\0b")

    await bench.run_due()

    assert (await bench.record(handle.id)).result == {"text": "a�b"}


async def test_a_worker_that_stops_gives_its_tasks_back(bench: Bench, tmp_path: Path) -> None:
    """A stop is not the task's fault: the attempt does not count."""
    log = tmp_path / "log"
    handle = await bench.order(jobs.wait, file=str(log))
    running = asyncio.create_task(bench.run_due())

    async def has_started() -> bool:
        return log.exists()

    await wait_until(has_started, within=5)
    bench.runner.release_all()
    await running

    record = await bench.record(handle.id)
    assert (record.state, record.attempt, record.crash_count) == (State.QUEUED, 0, 0)


async def test_a_stopping_worker_takes_nothing_new(bench: Bench) -> None:
    """What is due stays for others."""
    await bench.order(jobs.echo)
    bench.is_stopping = True

    assert await bench.run_due() == 0


async def test_an_unknown_name_waits_for_a_worker_that_knows_it(bench: Bench) -> None:
    """During a deploy old workers leave new tasks alone."""
    handle = await bench.order(jobs.echo)

    found = await bench.repository.claim(
        worker="old", queue="default", lane="io", names=["other"], most=5
    )

    assert found == []
    assert (await bench.record(handle.id)).state is State.QUEUED


async def test_many_bells_and_bells_for_nothing_are_harmless(bench: Bench) -> None:
    """A hundred bells for one task are one run; bells for nothing are none."""
    handle = await bench.order(jobs.echo)
    pump = bench.pump()

    runs = await asyncio.gather(*(pump.answer("default") for _ in range(100)))
    nothing = await pump.answer("no such queue")

    assert (sum(runs), nothing) == (1, 0)
    assert (await bench.record(handle.id)).attempt == 1


async def test_foreign_and_unknown_tasks_look_alike(bench: Bench) -> None:
    """P5: nobody can probe for ids."""
    handle = await bench.order(jobs.echo.having(owner_id=1))

    async with bench.database.unit_of_work() as session:
        for task_id in (handle.id, uuid4()):
            with pytest.raises(TaskNotFound):
                await bench.service.get(session, task_id, owner_id=2)
            with pytest.raises(TaskNotFound):
                await bench.service.cancel(session, task_id, owner_id=2)
