"""The parts of a system from start to stop: what they do, and how they end."""

import resource
import signal
from pathlib import Path

from support.client import Client
from support.system import System
from support.waiting import wait_until


async def test_every_part_does_its_work_and_stops_when_it_is_asked(
    system: System, tmp_path: Path
) -> None:
    """One task of each kind, then SIGTERM: no process needs to be killed."""
    parts = [system.web(), system.worker("io"), system.worker("cpu"), system.scheduler()]
    async with Client(base_url=system.url, timeout=20) as client:
        await client.sign_in()
        report = await client.post("/api/v1/tasks/generate-report/", json={"days": 7})
        orders = [
            report.json()["task_id"],
            await client.order("test.echo"),
            await client.order("test.echo_cpu"),
            await client.order("test.file", text="hello"),
        ]
        waiting = await client.order("test.wait", file=str(tmp_path / "log"))
        await client.in_state(waiting, "running")
        await client.post(f"/api/v1/tasks/{waiting}/cancel")
        states = [(await client.ended(task_id))["state"] for task_id in orders]
        cancelled = (await client.ended(waiting))["state"]

    codes = [part.stop() for part in reversed(parts)]

    assert states == ["succeeded"] * 4
    assert cancelled == "cancelled"
    assert set(codes) <= {0, -signal.SIGTERM}


def test_a_web_process_takes_as_many_connections_as_the_system_allows(system: System) -> None:
    """The soft limit of files, 1,024 on most systems, would refuse the next client."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 1_024), hard))
    try:
        web = system.web()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert resource.prlimit(web.process.pid, resource.RLIMIT_NOFILE) == (hard, hard)


async def test_a_stopping_worker_gives_running_tasks_back(system: System, tmp_path: Path) -> None:
    """What does not end within the grace begins again elsewhere, and no attempt is counted."""
    log, hold = tmp_path / "log", tmp_path / "hold"
    system.web()
    lanes = {"io": "test.mark", "cpu": "test.mark_cpu"}
    workers = {lane: system.worker(lane, "--stop-grace-s", "0.2") for lane in lanes}
    async with Client(base_url=system.url, timeout=20) as client:
        await client.sign_in()
        orders = {
            lane: await client.order(name, file=str(log), hold=str(hold))
            for lane, name in lanes.items()
        }

        async def both_run() -> bool:
            return log.exists() and len(log.read_text().splitlines()) == 2

        await wait_until(both_run, within=20)
        for worker in workers.values():
            assert worker.stop() in {0, -signal.SIGTERM}
        given_back = [await client.in_state(task_id, "queued") for task_id in orders.values()]

        hold.touch()
        for lane in lanes:
            system.worker(lane)
        ended = [await client.ended(task_id) for task_id in orders.values()]

    assert [(task["attempt"], task["crash_count"]) for task in given_back] == [(0, 0)] * 2
    assert [(task["state"], task["attempt"]) for task in ended] == [("succeeded", 1)] * 2


async def test_a_task_that_never_looks_up_is_ended_and_its_neighbours_go_on(
    system: System, admin: Client
) -> None:
    """In the cpu lane the child goes down with it; Celery starts another."""
    system.worker("cpu", TASUKI_TASKS__CANCEL_GRACE_S="0.5", TASUKI_TASKS__CPU_CONCURRENCY="1")
    spinning = await admin.order("test.spin_cpu")
    heeding = await admin.order("test.spin_cpu", heed=True)
    after = await admin.order("test.echo_cpu")

    states = [(await admin.ended(task_id))["state"] for task_id in (spinning, heeding, after)]

    assert states == ["timed_out", "timed_out", "succeeded"]
