"""The shipped test kit tells the truth: what it says of a task is what a worker would do."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fundamentals import jobs
from support import jobs as more
from tasuki import Artifact, Retry, TaskContext, task
from tasuki.core.errors import ValidationFailed
from tasuki.tasks.eventdata import EVENT_DATA
from tasuki.tasks.records import TaskEvent
from tasuki.tasks.schedules import Every, Schedule
from tasuki.tasks.settings import TasksSettings
from tasuki.testing import Rehearsal, TaskRun, VirtualClock, run_task


def kinds(run: TaskRun[Any]) -> list[str]:
    return [event.type for event in run.events]


async def test_a_task_runs_to_its_result() -> None:
    """One line, no server, and the result is what the record would hold."""
    run = await run_task(jobs.invoice, order_id=7)

    assert (run.state, run.result) == ("succeeded", {"order_id": 7, "copies": 1})
    assert run.returned == {"order_id": 7, "copies": 1}
    assert kinds(run) == ["queued", "started", "succeeded"]
    assert [event.seq for event in run.events] == [1, 2, 3]


async def test_all_it_said_is_kept_in_order() -> None:
    """A test may look at each step, though watchers get no more than four a second."""
    run = await run_task(more.steps, count=2)

    assert [step["current"] for step in run.progress] == [0, 1, 2]
    assert run.log == ["line 0", "line 1"]
    assert kinds(run)[1:-1] == ["started", "progress", "log", "progress", "log", "progress"]


async def test_a_file_can_be_read_after_the_run() -> None:
    """The folder it lay in is gone by then."""
    run = await run_task(jobs.catalogue, title="茶")

    assert run.artifact is not None
    assert (run.artifact.name, run.artifact.size_bytes) == ("catalogue.txt", 3)
    assert run.files == {"catalogue.txt": "茶".encode()}
    assert run.result is None


async def test_retries_wait_on_the_virtual_clock() -> None:
    """Hours of pauses pass in no time, and the events carry the time that passed."""
    hourly = Retry(tries=3, first=timedelta(hours=1), cap=timedelta(hours=2))

    @task("kit.charge", retry=hourly)
    async def charge(ctx: TaskContext, *, works_at: int) -> int:
        if ctx.attempt < works_at:
            raise ConnectionError("away")
        return ctx.attempt

    rehearsal = Rehearsal()
    began = rehearsal.clock()

    run = await rehearsal.run(charge, works_at=3)

    assert (run.state, run.attempt, run.result, run.error) == ("succeeded", 3, 3, None)
    assert kinds(run).count("retrying") == 2
    pauses = [event.data for event in run.events if event.type == "retrying"]
    assert pauses[-1]["available_at"] == run.events[-1].at.isoformat()
    assert timedelta(0) < rehearsal.clock() - began <= timedelta(hours=3)


async def test_a_final_failure_is_told_as_the_record_tells_it() -> None:
    """Nothing is raised into the test; what the owner would read is there to be looked at."""
    run = await run_task(more.fail)
    fatal = await run_task(more.fail, fatal=True)

    assert (run.state, run.attempt) == ("failed", 3)
    assert run.error == {
        "kind": "error",
        "type": "RuntimeError",
        "message": "attempt 3",
        "retryable": True,
    }
    assert isinstance(run.raised, RuntimeError)
    assert (fatal.state, fatal.attempt) == ("failed", 1)


async def test_a_timeout_interrupts_and_the_next_attempt_begins_afresh() -> None:
    """A flag that was left from the first attempt would stop the second at once."""

    @task("kit.slow", retry=Retry(tries=2), timeout=timedelta(seconds=0.05))
    async def slow(ctx: TaskContext) -> str:
        if ctx.attempt == 1:
            await asyncio.sleep(60)
        await ctx.checkpoint()
        return "in time"

    run = await run_task(slow)

    assert (run.state, run.result) == ("succeeded", "in time")
    assert kinds(run) == ["queued", "started", "retrying", "started", "succeeded"]


@pytest.mark.parametrize("at", ["started", "progress"])
async def test_a_cancel_can_be_tried_at_any_event(at: str) -> None:
    """The clean-up of a cancelled task is code too."""
    left: list[str] = []

    @task("kit.copy")
    async def copy(ctx: TaskContext) -> None:
        try:
            await ctx.progress(1, of=2)
            await asyncio.sleep(60)
        finally:
            left.append("cleaned up")

    def when(event: TaskEvent) -> bool:
        return event.type == at

    run = await Rehearsal(cancel_when=when).run(copy)

    assert (run.state, kinds(run)[-2:]) == ("cancelled", ["cancelling", "cancelled"])
    assert left == (["cleaned up"] if at == "progress" else [])


async def test_services_stand_in_for_the_real_ones() -> None:
    """`ctx.get` finds what the test provides, `ctx.unit_of_work` opens the test's session."""

    class Stock:
        count = 3

    @task("kit.count")
    async def count(ctx: TaskContext) -> list[object]:
        async with ctx.unit_of_work() as session:
            return [ctx.get(Stock).count, str(session), ctx.owner_id]

    rehearsal = Rehearsal(session="the session")
    rehearsal.provide(Stock, Stock())

    assert (await rehearsal.run(count.having(owner_id=5))).result == [3, "the session", 5]
    assert "no Stock was provided" in str((await run_task(count)).error) + str(
        (await Rehearsal(session="s").run(count)).error
    )


async def test_a_large_result_becomes_a_file_and_a_strange_one_an_error() -> None:
    """The limits of the record hold here too, or the first surprise is in production."""
    limits = TasksSettings(max_result_bytes=1024)

    @task("kit.strange")
    async def strange(ctx: TaskContext) -> object:
        del ctx
        return object()

    large = await Rehearsal(settings=limits).run(more.large, size=2000)

    assert large.artifact is not None
    assert (large.result, large.artifact.name) == (None, "result.json")
    assert large.files["result.json"] == b'"' + b"x" * 2000 + b'"'
    assert (await run_task(strange)).state == "failed"


async def test_wrong_arguments_are_refused_as_at_an_order() -> None:
    """They reach the function as JSON made them, or not at all."""
    with pytest.raises(ValidationFailed, match="order_id"):
        await run_task(jobs.invoice, order_id="seven")  # type: ignore[arg-type]  # the point


async def test_events_look_like_those_of_the_contract() -> None:
    """Whoever writes a view against recorded events must not find others in production."""
    runs: list[TaskRun[Any]] = []

    @task("kit.mixed")
    async def mixed(ctx: TaskContext) -> Artifact:
        await ctx.log("a line")
        async with ctx.artifact("a.txt", "text/plain") as file:
            await file.write(b"a")
        return file.artifact

    cancelled = Rehearsal(cancel_when=lambda event: event.type == "started")
    runs += [await run_task(mixed), await run_task(more.fail), await run_task(more.slow)]
    runs += [await run_task(more.steps), await cancelled.run(more.wait)]

    seen = set()
    for run in runs:
        for event in run.events:
            EVENT_DATA[event.type].model_validate(event.data)
            seen.add(event.type)
    assert seen == set(EVENT_DATA) - {"snapshot", "scheduled", "crashed", "expired"}


async def test_the_children_it_orders_are_kept_and_not_run() -> None:
    """What a task hands on is part of what it does; what becomes of that is another test."""
    run = await run_task(more.family, deep=1, wide=2, stay=False)

    assert [(child.name, args) for child, args in run.ordered] == [
        ("test.family", {"deep": 0, "wide": 2, "stay": False})
    ] * 2
    assert run.ordered[0][0].options.tags == ("child",)


def test_a_virtual_clock_moves_only_when_told() -> None:
    """What is handed a clock can be tried at any moment of any year."""
    clock = VirtualClock(datetime(2030, 12, 31, 23, 59, tzinfo=UTC))
    hourly = Schedule(task=jobs.watch, at=Every(timedelta(hours=1)))
    last = clock()

    assert hourly.due(last, clock()) == []
    assert hourly.due(last, clock.move(timedelta(minutes=1))) == [datetime(2031, 1, 1, tzinfo=UTC)]
    with pytest.raises(ValueError, match="backwards"):
        clock.move(timedelta(seconds=-1))
