"""Hooks: called after each end, and never in the way of the work."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from support import hooked, jobs
from support.client import Client
from support.engine import Bench
from support.system import System
from support.waiting import wait_until
from tasuki.core.database import Database
from tasuki.tasks import Catalogue, State
from tasuki.tasks.engine import hooks as engine_hooks
from tasuki.tasks.engine.hooks import HookCaller
from tasuki.tasks.hooks import Ended, Hooks
from tasuki.tasks.settings import TasksSettings
from tasuki.wiring.declared import load_declared

OWNER = 7


@dataclass
class Book:
    """Keeps what hooks were told, by the hook's name."""

    entries: list[tuple[str, Ended]] = field(default_factory=list)

    def hooks(self) -> Hooks:
        """Return hooks that write into it."""

        async def on_success(ended: Ended) -> None:
            self.entries.append(("success", ended))

        async def on_failure(ended: Ended) -> None:
            self.entries.append(("failure", ended))

        async def on_retry(ended: Ended) -> None:
            self.entries.append(("retry", ended))

        async def on_cancel(ended: Ended) -> None:
            self.entries.append(("cancel", ended))

        return Hooks(
            on_success=on_success, on_failure=on_failure, on_retry=on_retry, on_cancel=on_cancel
        )

    @property
    def names(self) -> list[tuple[str, State]]:
        """Which hooks were called, with the state they were told."""
        return [(name, ended.state) for name, ended in self.entries]


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
async def bench(database: Database, tmp_path: Path, book: Book) -> AsyncGenerator[Bench]:
    """An engine with short times and hooks for all tasks."""
    settings = TasksSettings(lease_s=2, cancel_grace_s=0.3, look_every_s=0.1, max_crashes=1)
    made = Bench(database, tmp_path, settings, hooks=(book.hooks(),))
    beating = asyncio.create_task(made.runner.beat_for_ever())
    yield made
    beating.cancel()
    await made.hook_caller.close()


async def test_a_success_is_told_with_its_result(bench: Bench, book: Book) -> None:
    """After the end was written: who hears of it can read it."""
    seen: list[State] = []

    async def look(ended: Ended) -> None:
        seen.append((await bench.record(ended.task_id)).state)
        assert ended.get(Database) is bench.database

    bench.hook_caller._hooks += (Hooks(on_success=look),)
    handle = await bench.order(jobs.echo.having(owner_id=OWNER), text="hi")
    await bench.run_due()

    assert book.entries == [
        (
            "success",
            Ended(
                task_id=handle.id,
                name="test.echo",
                owner_id=OWNER,
                args={"text": "hi"},
                attempt=1,
                state=State.SUCCEEDED,
                result={"text": "hi"},
            ),
        )
    ]
    assert seen == [State.SUCCEEDED]


async def test_each_kind_of_end_calls_its_hook(bench: Bench, book: Book) -> None:
    """Retries until it fails for good; a timeout is a failure too."""
    failing = await bench.order(jobs.fail)

    async def has_failed() -> bool:
        await bench.run_due()
        return (await bench.record(failing.id)).state is State.FAILED

    await wait_until(has_failed, within=10)
    await bench.order(jobs.slow)
    await bench.run_due()

    assert book.names == [
        ("retry", State.RETRYING),
        ("retry", State.RETRYING),
        ("failure", State.FAILED),
        ("failure", State.TIMED_OUT),
    ]
    assert [ended.attempt for _, ended in book.entries] == [1, 2, 3, 1]
    assert book.entries[0][1].error is not None
    assert book.entries[0][1].error["message"] == "attempt 1"


async def test_a_cancelled_run_calls_on_cancel(bench: Bench, book: Book) -> None:
    """One that waited ends without any hook: nothing of it ever ran."""
    waiting = await bench.order(jobs.echo)
    await bench.cancel(waiting.id)
    running = await bench.order(jobs.wait)
    run = asyncio.create_task(bench.run_due())

    async def has_begun() -> bool:
        return (await bench.record(running.id)).state is State.RUNNING

    await wait_until(has_begun, within=5)
    await bench.cancel(running.id)
    async with asyncio.timeout(5):
        await run

    assert book.names == [("cancel", State.CANCELLED)]
    assert book.entries[0][1].task_id == running.id


async def test_who_no_worker_has_any_more_is_told_by_the_reaper(bench: Bench, book: Book) -> None:
    """A crash and an order that came too late are failures that no worker can tell of."""
    crashed = await bench.order(jobs.echo, text="lost")
    expired = await bench.order(jobs.echo.having(expires=timedelta(0)), text="late")
    (held,) = await bench.repository.claim(
        worker="w", queue="default", lane="io", names=["test.echo"], most=1
    ) or await bench.repository.claim(
        worker="w", queue="default", lane="io", names=["test.echo"], most=1, last_chance=True
    )
    await bench.repository.give_up(held.id, held.token)

    await bench.reaper.go_round()

    async def are_told() -> bool:
        return len(book.entries) == 2

    await wait_until(are_told, within=5)
    told = {ended.task_id: ended for _, ended in book.entries}
    assert {name for name, _ in book.names} == {"failure"}
    assert told[crashed.id].state is State.CRASHED
    assert told[crashed.id].args == {"text": "lost"}
    assert told[expired.id].state is State.EXPIRED
    assert told[expired.id].error is not None


async def test_a_failing_hook_harms_nothing(bench: Bench, book: Book) -> None:
    """Neither the task, nor the hooks after it."""

    async def burst(ended: Ended) -> None:
        raise RuntimeError(ended.name)

    bench.hook_caller._hooks = (Hooks(on_success=burst), *bench.hook_caller._hooks)
    handle = await bench.order(jobs.echo)
    await bench.run_due()

    assert (await bench.record(handle.id)).state is State.SUCCEEDED
    assert book.names == [("success", State.SUCCEEDED)]


async def test_a_hook_that_does_not_end_is_interrupted(
    bench: Bench, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its clean-up runs, and the worker goes on."""
    monkeypatch.setattr(engine_hooks, "LONGEST_S", 0.1)
    interrupted = asyncio.Event()

    async def hang(_: Ended) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            interrupted.set()

    bench.hook_caller._hooks = (Hooks(on_success=hang), *bench.hook_caller._hooks)
    await bench.order(jobs.echo)
    async with asyncio.timeout(5):
        await bench.run_due()
        await interrupted.wait()

    assert book.names == [("success", State.SUCCEEDED)]


async def test_hooks_of_very_many_ends_are_bounded(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the reaper finds after a catastrophe must not fill the memory."""
    monkeypatch.setattr(engine_hooks, "_MOST_LATER", 5)
    begun: list[Ended] = []

    async def hang(ended: Ended) -> None:
        begun.append(ended)
        await asyncio.Event().wait()

    caller = HookCaller(
        catalogue=Catalogue(),
        hooks=[Hooks(on_failure=hang)],
        services=bench.hook_caller._services,
        loop=asyncio.get_running_loop(),
    )
    ended = Ended(
        task_id=(await bench.order(jobs.echo)).id,
        name="test.echo",
        owner_id=None,
        args={},
        attempt=1,
        state=State.CRASHED,
    )

    caller.call_later([ended] * 50)

    async def are_at_work() -> bool:
        return len(begun) == 5

    await wait_until(are_at_work, within=5)
    assert len(caller._later) == 5
    async with asyncio.timeout(5):
        await caller.close()


def test_a_hook_that_is_no_async_function_is_refused() -> None:
    """At the start of the process, not at the first failure at night."""

    def plain(_: Ended) -> None:
        return None

    wrong: Any = plain
    with pytest.raises(TypeError, match="on_failure"):
        Hooks(on_failure=wrong)


def test_the_hooks_of_one_task_are_not_for_all() -> None:
    """Though they are a global of its module, as hooks for all tasks are."""
    declared = load_declared(("support.hooked",))
    task = declared.catalogue.find("hooked.work")

    assert task is not None
    assert task.hooks is hooked.OWN
    assert declared.hooks == (hooked.EVERY,)


async def test_hooks_run_in_real_workers(system: System, tmp_path: Path) -> None:
    """In both lanes, with services, those of the task before those of all."""
    file = tmp_path / "hooks"
    file.touch()
    system.env = {
        **system.env,
        hooked.FILE: str(file),
        "TASUKI_TASKS__MODULES": '["support.jobs", "support.hooked"]',
    }
    system.web()
    system.worker("io")
    system.worker("cpu")
    async with Client(base_url=system.url, timeout=20) as client:
        await client.sign_in()
        for name, args in (("work", {}), ("work_cpu", {}), ("work", {"well": False})):
            await client.ended(await client.order(f"hooked.{name}", **args), within=40)

    expected = {
        "own hooked.work succeeded 1",
        "every hooked.work succeeded 1",
        "own hooked.work_cpu succeeded 1",
        "every hooked.work_cpu succeeded 1",
        "every hooked.work failed 1",
    }

    async def are_told() -> bool:
        return set(file.read_text().splitlines()) == expected

    await wait_until(are_told, within=10, what=file.read_text())
