"""`/metrics`: for whom, and that its numbers are those of the whole system."""

import asyncio
import math
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from support import jobs
from support.client import Client
from support.engine import Bench
from support.live import Live
from support.system import System
from support.waiting import wait_until
from tasuki.core.database import Database
from tasuki.tasks.observing import numbers
from tasuki.tasks.observing.repository import ObservingRepository
from tasuki.tasks.settings import TasksSettings

Numbers = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers are not kept for some seconds, so that a test need not wait for them."""
    monkeypatch.setattr(numbers, "KEEP_S", 0.0)


def read(text: str) -> Numbers:
    """Return the samples as Prometheus' own parser reads them."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(found: Numbers, name: str, **labels: str) -> float | None:
    """Return one sample."""
    return found.get((name, tuple(sorted(labels.items()))))


async def scraped(client: Client) -> Numbers:
    """Return what Prometheus reads now."""
    answer = await client.get("/metrics")
    assert answer.status_code == 200, answer.text
    return read(answer.text)


async def test_only_who_has_the_scope_reads_them(live: Live) -> None:
    """They tell what is done here and how much; a program gets a token with this scope alone."""
    anonymous = await live.client()
    plain = await live.program(await live.add_user("plain"))
    scraper = await live.program(await live.add_user("prometheus", scopes=("metrics:read",)))

    answers = [await client.get("/metrics") for client in (anonymous, plain, scraper)]

    assert [answer.status_code for answer in answers] == [401, 403, 200]
    assert answers[2].headers["content-type"].startswith("text/plain; version=0.0.4")


async def test_tasks_are_counted_by_name_and_state_and_end(live: Live) -> None:
    """What is unfinished is a gauge, what has ended a counter that survives retention."""
    admin = await live.user("boss", role="admin")
    for _ in range(3):
        await admin.order("test.echo")
    await live.work()
    await admin.order("test.fail", fatal=True)
    await live.work()
    await admin.order("test.echo")
    await admin.order_with("test.keep", {}, delay_s=3600)

    found = await scraped(admin)

    where = {"queue": "default", "lane": "io"}
    assert value(found, "tasuki_tasks", task="test.echo", state="queued", **where) == 1
    assert value(found, "tasuki_tasks", task="test.keep", state="scheduled", **where) == 1
    assert value(found, "tasuki_task_runs_total", task="test.echo", state="succeeded") == 3
    assert value(found, "tasuki_task_runs_total", task="test.fail", state="failed") == 1
    assert value(found, "tasuki_task_queue_seconds_count", task="test.echo") == 3
    assert value(found, "tasuki_task_run_seconds_count", task="test.echo") == 3
    assert value(found, "tasuki_task_run_seconds_bucket", task="test.echo", le="+Inf") == 3
    run_s = value(found, "tasuki_task_run_seconds_sum", task="test.echo")
    assert run_s is not None
    assert 0 <= run_s < 30

    async with live.database.driver() as connection:
        await connection.execute("DELETE FROM tasks WHERE finished_at IS NOT NULL")

    again = await scraped(admin)
    assert value(again, "tasuki_task_runs_total", task="test.echo", state="succeeded") == 3


async def test_every_way_to_end_is_counted(live: Live) -> None:
    """A cancel in a request, an end by the reaper, a lease that expired: none is forgotten."""
    admin = await live.user("boss", role="admin")
    cancelled = await admin.order("test.echo")
    await admin.post(f"/api/v1/tasks/{cancelled}/cancel")
    expiring = (await admin.order_with("test.keep", {}, expires_s=0.01))["id"]
    await admin.ended(expiring)
    lost = await admin.order("test.mark", file="/dev/null", hold="/nonexistent")
    async with live.database.driver() as connection:
        await connection.execute(
            "UPDATE tasks SET state = 'running', crash_count = max_crashes - 1, "
            "lease_until = now() - interval '1 second', started_at = now() WHERE id = $1",
            lost,
        )
    await admin.ended(lost)

    found = await scraped(admin)

    assert value(found, "tasuki_task_runs_total", task="test.echo", state="cancelled") == 1
    assert value(found, "tasuki_task_runs_total", task="test.keep", state="expired") == 1
    assert value(found, "tasuki_task_runs_total", task="test.mark", state="crashed") == 1
    assert (value(found, "tasuki_task_leases_expired_total", task="test.mark") or 0) >= 1
    # What never started waited for nothing that could be measured.
    assert value(found, "tasuki_task_queue_seconds_count", task="test.echo") is None


async def test_a_histogram_is_one(live: Live) -> None:
    """Buckets grow from bound to bound, and the last holds all; else quantiles are nonsense."""
    admin = await live.user("boss", role="admin")
    for _ in range(5):
        await admin.order("test.echo")
    await live.work()

    found = await scraped(admin)

    for name in ("tasuki_task_queue_seconds", "tasuki_task_run_seconds"):
        buckets = {
            math.inf if dict(labels)["le"] == "+Inf" else float(dict(labels)["le"]): count
            for (sample, labels), count in found.items()
            if sample == f"{name}_bucket" and dict(labels)["task"] == "test.echo"
        }
        counts = [buckets[bound] for bound in sorted(buckets)]
        assert len(counts) == 16
        assert counts == sorted(counts)
        assert counts[-1] == value(found, f"{name}_count", task="test.echo") == 5


async def test_lag_tells_what_nobody_rang_for_and_what_nobody_took(live: Live) -> None:
    """The one means that the broker is away, the other that workers are."""
    admin = await live.user("boss", role="admin")
    untaken = await admin.order("test.echo")

    async def is_rung() -> bool:
        async with live.database.driver() as connection:
            rung: bool = await connection.fetchval(
                "SELECT rung_at IS NOT NULL FROM tasks WHERE id = $1", untaken
            )
        return rung

    await wait_until(is_rung, within=10)
    async with live.database.driver() as connection:
        await connection.execute("UPDATE tasks SET available_at = now() - interval '100 seconds'")

    found = await scraped(admin)

    lag = value(found, "tasuki_task_claim_lag_seconds", queue="default", lane="io")
    assert lag is not None
    assert 100 <= lag < 160
    assert value(found, "tasuki_task_dispatch_lag_seconds") == 0


async def test_a_process_tells_of_its_own_pool_and_streams(live: Live) -> None:
    """These differ between web processes, and their names say so."""
    admin = await live.user("boss", role="admin")
    task_id = await admin.order("test.echo")

    async with admin.stream("GET", f"/api/v1/tasks/{task_id}/events") as stream:
        frames = stream.aiter_bytes()
        await anext(frames)
        during = await scraped(admin)

    async def is_closed() -> bool:
        return value(await scraped(admin), "tasuki_process_event_streams") == 0

    assert value(during, "tasuki_process_event_streams") == 1
    await wait_until(is_closed, within=10)
    assert value(during, "tasuki_process_database_connections_limit") == 20
    assert (value(during, "tasuki_process_database_connections", use="idle") or 0) >= 1


async def test_names_have_the_prefix_and_their_unit(live: Live) -> None:
    """Who writes a rule should not have to look up what is counted in what."""
    admin = await live.user("boss", role="admin")
    text = (await admin.get("/metrics")).text

    families = list(text_string_to_metric_families(text))
    assert families
    assert all(family.name.startswith("tasuki_") for family in families)
    assert all(family.documentation for family in families)


async def test_openmetrics_is_spoken_to_those_who_ask(live: Live) -> None:
    """Newer Prometheus servers ask for it first."""
    admin = await live.user("boss", role="admin")

    answer = await admin.get(
        "/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"}
    )

    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


@pytest.fixture
async def bench(database: Database, tmp_path: Path) -> Bench:
    """An engine without a web process."""
    return Bench(database, tmp_path, TasksSettings(lease_s=2, ring_again_s=0.5, look_every_s=0.1))


async def test_several_processes_count_each_end_once(bench: Bench) -> None:
    """All workers and all scrapes count; none counts what another did."""
    for number in range(200):
        await bench.order(jobs.echo, text=str(number))
    await bench.run_due()
    repository = ObservingRepository(bench.database)

    await asyncio.gather(*(repository.count() for _ in range(5)))

    counts = {(count.name, count.what): count.value for count in await repository.counts()}
    assert counts["test.echo", "succeeded"] == 200


async def test_all_processes_are_in_the_numbers(system: System) -> None:
    """Tasks of two workers, read from either of two web processes: the same numbers."""
    system.web()
    first = system.url
    system.web()
    second = system.url
    system.worker("io")
    system.worker("cpu", "--concurrency", "1")
    async with (
        Client(base_url=first, timeout=20) as one,
        Client(base_url=second, timeout=20) as other,
    ):
        await one.sign_in()
        await other.sign_in()
        for name in ("test.echo", "test.echo_cpu"):
            await one.ended(await one.order(name))

        for client in (one, other):
            found = await scraped(client)
            for name in ("test.echo", "test.echo_cpu"):
                assert value(found, "tasuki_task_runs_total", task=name, state="succeeded") == 1
            for lane, count, room in (("io", 1, 100), ("cpu", 1, 1), ("local", 2, 40)):
                assert value(found, "tasuki_workers", lane=lane) == count
                assert value(found, "tasuki_workers_concurrency", lane=lane) == room
