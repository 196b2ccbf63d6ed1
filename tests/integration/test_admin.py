"""What an operator sees: queues and workers from the database, and what Celery's tools show."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Generator
from typing import Any

import pytest
from celery.events.receiver import EventReceiver

from support.client import Client
from support.live import Live
from support.system import System
from support.waiting import wait_until
from tasuki.tasks import Catalogue
from tasuki.tasks.celery import build_celery_app
from tasuki.tasks.observing import numbers

QUEUES = "/api/v1/admin/queues"
WORKERS = "/api/v1/admin/workers"


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers are not kept for some seconds, so that a test need not wait for them."""
    monkeypatch.setattr(numbers, "KEEP_S", 0.0)


async def place(client: Client, queue: str = "default", lane: str = "io") -> dict[str, Any]:
    """Return what is told of one queue and lane."""
    items = (await client.get(QUEUES)).json()["items"]
    (found,) = [item for item in items if (item["queue"], item["lane"]) == (queue, lane)]
    return dict(found)


async def living(client: Client) -> dict[str, dict[str, Any]]:
    """Return the living workers by lane."""
    return {item["lane"]: item for item in (await client.get(WORKERS)).json()["items"]}


async def test_a_queue_tells_what_waits_and_what_went_through(live: Live) -> None:
    """Due and not due are told apart, since only the one asks for more workers."""
    admin = await live.user("boss", role="admin")
    for _ in range(5):
        await admin.order("test.echo")
    await live.work()
    await admin.order("test.echo")
    await admin.order_with("test.echo", {}, delay_s=3600)
    await admin.order("test.echo_cpu")

    io, cpu = await place(admin), await place(admin, lane="cpu")

    assert (io["waiting"], io["scheduled"], io["running"]) == (1, 1, 0)
    assert 0 <= io["oldest_due_s"] < 30
    assert (io["ended_per_minute"], io["failed_lately"], io["retrying"]) == (1.0, 0, 0)
    assert (cpu["waiting"], cpu["ended_per_minute"]) == (1, 0)
    idle = await place(admin, "cleanup")
    assert (idle["waiting"], idle["oldest_due_s"], idle["ended_per_minute"]) == (0, None, 0)
    assert idle["dispatch_lag_s"] is None


async def test_a_queue_tells_what_goes_wrong_in_it(live: Live) -> None:
    """What failed for good, and what failed once and will be tried again, are two numbers."""
    admin = await live.user("boss", role="admin")
    await admin.order("test.fail", fatal=True)
    await admin.order("test.fail")
    assert live.engine.pump is not None
    await live.engine.pump.answer("default")

    found = await place(admin)

    assert (found["failed_lately"], found["retrying"]) == (1, 1)


async def test_a_queue_tells_the_bells_in_the_broker(live: Live) -> None:
    """Bells without a worker pile up a little and no more; an operator sees which it is."""
    admin = await live.user("boss", role="admin")
    await admin.order("test.echo")

    async def has_bell() -> bool:
        return bool((await place(admin))["bells"])

    await wait_until(has_bell, within=10)
    assert (await place(admin, lane="local"))["bells"] is None


async def test_workers_are_those_that_live(system: System) -> None:
    """Idle or busy, killed or stopped: the list is what the workers themselves say."""
    web = system.web()
    io, cpu = system.worker("io"), system.worker("cpu", "--concurrency", "2")
    hold, file = system.folder / "hold", system.folder / "marks"
    async with Client(base_url=system.url, timeout=20) as admin:
        await admin.sign_in()
        idle = await living(admin)
        orders = [
            await admin.order(name, file=str(file), hold=str(hold))
            for name in ("test.mark", "test.mark_cpu")
        ]
        for task_id in orders:
            await admin.in_state(task_id, "running")
        busy = await living(admin)
        hold.touch()
        for task_id in orders:
            await admin.ended(task_id)

        assert [[task["id"] for task in busy[lane]["tasks"]] for lane in ("io", "cpu")] == [
            [task_id] for task_id in orders
        ]
        assert idle["io"]["tasks"] == []
        assert [(idle[lane]["running"], busy[lane]["running"]) for lane in ("io", "cpu")] == [
            (0, 1),
            (0, 1),
        ]
        assert (idle["io"]["pid"], idle["cpu"]["pid"]) == (io.process.pid, cpu.process.pid)
        assert (idle["io"]["concurrency"], idle["cpu"]["concurrency"]) == (100, 2)
        assert (idle["local"]["pid"], idle["local"]["concurrency"]) == (web.process.pid, 20)
        assert "3 alive" in system.command("doctor").stdout

        assert io.stop() == 0
        assert set(await living(admin)) == {"cpu", "local"}
        cpu.kill()

        async def is_empty() -> bool:
            return set(await living(admin)) == {"local"}

        await wait_until(is_empty, within=10, what="the killed worker's absence")
        (lost,) = (await admin.get(WORKERS)).json()["lost"]  # the other said that it stops
        assert (lost["lane"], lost["pid"]) == ("cpu", cpu.process.pid)
        assert (
            "1 alive: 1 local; none serves io; none serves cpu" in system.command("doctor").stdout
        )
        assert web.stop() in {0, -signal.SIGTERM}
    assert "none alive" in system.command("doctor").stdout


async def test_an_io_worker_runs_as_many_at_once_as_it_was_told(system: System) -> None:
    """One bell may empty a queue, yet no more than `--concurrency` of it run at a time."""
    system.web()
    system.worker("io", "--concurrency", "2")
    hold, file = system.folder / "hold", system.folder / "marks"
    async with Client(base_url=system.url, timeout=20) as admin:
        await admin.sign_in()
        orders = [await admin.order("test.mark", file=str(file), hold=str(hold)) for _ in range(5)]

        async def is_full() -> bool:
            return bool((await living(admin))["io"]["running"] == 2)

        await wait_until(is_full, within=10)
        assert (await living(admin))["io"]["concurrency"] == 2
        assert len(file.read_text().splitlines()) == 2
        assert (await place(admin))["waiting"] == 3
        hold.touch()
        for task_id in orders:
            await admin.ended(task_id)


async def test_a_worker_is_alive_while_the_broker_is_not(system: System) -> None:
    """Celery's own heartbeats stop with the broker; ours go on, so nobody restarts the healthy."""
    system.env = {**system.env, "TASUKI_BROKER_URL": "redis://127.0.0.1:1/0"}
    system.web()
    process = subprocess.Popen(  # noqa: ASYNC220  # it is not waited for here
        [sys.executable, "-m", "tasuki", "worker", "--lane", "cpu", "--concurrency", "1"],
        env=system.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd=system.folder,
    )
    try:
        async with Client(base_url=system.url, timeout=20) as admin:
            await admin.sign_in()

            async def is_seen() -> bool:
                return (await living(admin)).get("cpu", {}).get("pid") == process.pid

            await wait_until(is_seen, within=20)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


@pytest.fixture
def events(redis_url: str) -> Generator[list[dict[str, Any]]]:
    """What Flower is built on: the events that workers send."""
    app = build_celery_app(redis_url, Catalogue(), is_worker=True)
    seen: list[dict[str, Any]] = []
    with app.connection_for_read() as connection:
        receiver: EventReceiver = app.events.Receiver(connection, handlers={"*": seen.append})
        thread = threading.Thread(
            target=lambda: receiver.capture(limit=None, timeout=None, wakeup=False), daemon=True
        )
        thread.start()
        yield seen
        receiver.should_stop = True
        thread.join(10)


def inspect(system: System, what: str) -> dict[str, Any]:
    """Ask the workers by Celery's own command."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "celery", "-A", "tasuki.worker:celery_app"),
            *("--quiet", "inspect", what, "--timeout", "5", "--json"),
        ],
        env=system.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=system.folder,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


async def test_celerys_own_tools_show_real_names(
    system: System, events: list[dict[str, Any]]
) -> None:
    """Whoever knows Celery looks with `inspect` or Flower; what they see there is true."""
    system.web()
    system.worker("io")
    hold, file = system.folder / "hold", system.folder / "marks"
    async with Client(base_url=system.url, timeout=20) as admin:
        await admin.sign_in()
        task_id = await admin.order("test.mark", file=str(file), hold=str(hold))
        await admin.in_state(task_id, "running")

        (pong,) = inspect(system, "ping").values()
        (names,) = inspect(system, "registered").values()
        (active,) = inspect(system, "active").values()
        hold.touch()
        await admin.ended(task_id)

    assert pong == {"ok": "pong"}
    assert {"test.mark", "reports.user_activity"} <= {name.split(" ")[0] for name in names}
    assert "test.mark" in {task["name"] for task in active}
    assert all(str(file) not in json.dumps(task) for task in active)

    def of(kind: str) -> list[dict[str, Any]]:
        return [event for event in events if event["type"] == kind]

    async def has_ended() -> bool:
        return bool(of("task-succeeded") and of("worker-heartbeat"))

    await wait_until(has_ended, within=10)
    assert {event["name"] for event in of("task-received")} == {"test.mark"}
    assert of("task-started")
    assert {event["hostname"][:2] for event in of("worker-online")} == {"io"}
