"""What the API answers when the database says no, goes away, or the process has to stop."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from support.client import Client
from support.live import Live, live_settings, running_live
from support.system import System
from support.waiting import wait_until
from tasuki.core.errors import Unavailable
from tasuki.embedded import PostgresServer, run_server
from tasuki.wiring.migrations import runner as migrations

TASKS = "/api/v1/tasks"

# At COMMIT, after every statement went well: what a full disk or a lost connection looks like.
FAIL_AT_COMMIT = """
CREATE FUNCTION fail_at_commit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'no commit today' USING ERRCODE = '{sqlstate}'; END $$;
CREATE CONSTRAINT TRIGGER fail_at_commit AFTER INSERT ON {table}
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail_at_commit();
"""


@asynccontextmanager
async def commits_refused(site: Live, table: str, *, sqlstate: str) -> AsyncGenerator[None]:
    """Have every transaction that adds to a table fail at its very end, while the block runs."""
    async with site.database.driver() as connection:
        await connection.execute(FAIL_AT_COMMIT.format(table=table, sqlstate=sqlstate))
    yield
    async with site.database.driver() as connection:
        await connection.execute("DROP FUNCTION fail_at_commit CASCADE")


async def rows(site: Live, table: str) -> int:
    """Count the rows of a table."""
    async with site.database.driver() as connection:
        count: int = await connection.fetchval(f"SELECT count(*) FROM {table}")  # noqa: S608  # ours
    return count


@pytest.mark.parametrize(
    ("table", "path", "body"),
    [
        ("tasks", TASKS, {"name": "test.echo"}),
        ("tasks", f"{TASKS}/generate-report/", {}),
        ("activity", "/api/v1/activity", {"kind": "post"}),
        ("users", "/api/v1/users", {"username": "new", "email": "new@example.org"}),
        ("api_tokens", "/api/v1/auth/tokens", {"name": "new"}),
    ],
)
@pytest.mark.parametrize(("sqlstate", "status"), [("53100", 503), ("P0001", 500)])
@pytest.mark.asyncio(loop_scope="module")
async def test_what_was_not_committed_is_not_accepted(
    site: Live, table: str, path: str, body: dict[str, Any], sqlstate: str, status: int
) -> None:
    """The commit trap: by default FastAPI commits after the answer was sent, and says 202.

    A disk that is full (53100) passes, so the client may come back; anything else is a fault.
    """
    admin = await site.user(f"root-{table}-{sqlstate}-{len(path)}", role="admin")
    before = await rows(site, table)

    async with commits_refused(site, table, sqlstate=sqlstate):
        answer = await admin.post(path, json=body)

    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert ("retry-after" in answer.headers) == (status == 503)
    assert "no commit today" not in answer.text
    assert await rows(site, table) == before


async def test_lost_connections_are_replaced(live: Live) -> None:
    """A failover closes every connection; the next call, or the one after it, is served."""
    admin = await live.user("root", role="admin")
    await asyncio.gather(*(admin.get("/api/v1/auth/me") for _ in range(5)))

    await terminate_connections(live)
    answers = [await admin.get(TASKS) for _ in range(30)]

    statuses = [answer.status_code for answer in answers]
    assert set(statuses) <= {200, 503}
    assert statuses[-1] == 200
    for answer in answers:
        if answer.status_code == 503:
            assert answer.json()["code"] == "unavailable"
            assert int(answer.headers["retry-after"]) >= 1


async def test_a_watcher_survives_lost_connections(live: Live) -> None:
    """The stream stays open, and its end comes all the same."""
    user = await live.user("alice", scopes=("task:test.echo",))
    task_id = await user.order("test.echo")

    async with user.stream("GET", f"{TASKS}/{task_id}/events") as answer:
        chunks = answer.aiter_text()
        first = await anext(chunks)
        await terminate_connections(live)

        async def run() -> bool:
            with suppress(Unavailable):  # the worker's connections are gone, too
                await live.work()
            return bool((await user.get(f"{TASKS}/{task_id}")).json().get("state") == "succeeded")

        await wait_until(run, within=10)
        async with asyncio.timeout(5):
            rest = "".join([chunk async for chunk in chunks])

    assert "event: snapshot" in first
    assert "event: succeeded" in rest


async def terminate_connections(live: Live) -> None:
    """Close all connections to the database but our own, as an operator or a failover does."""
    url = live.tasuki.settings.need_database_url().replace("+asyncpg", "")
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    finally:
        await connection.close()


async def test_a_database_that_is_away_is_said_so_and_found_again(
    redis_url: str, tmp_path: Path
) -> None:
    """503 with `Retry-After` while it is away; served again without a restart when it is back."""
    folder = tmp_path / "db"
    folder.mkdir(mode=0o700)
    postgres = PostgresServer.prepare(folder, durable=False)
    with run_server(postgres):
        await migrations.upgrade(postgres.dsn)
        live = running_live(live_settings(postgres.dsn, redis_url, tmp_path))
        site = await live.__aenter__()
        admin = await site.user("root", role="admin")
        task_id = await admin.order("test.echo")

    away = [
        await admin.get(TASKS),
        await admin.post(TASKS, json={"name": "test.echo"}),
        await admin.get(f"{TASKS}/{task_id}/events"),
        await admin.post("/api/v1/auth/login", json={"username": "a", "password": "b"}),
    ]
    ready, alive = await admin.get("/readyz"), await admin.get("/healthz")
    with run_server(postgres):

        async def is_back() -> bool:
            return (await admin.get(TASKS)).status_code == 200

        await wait_until(is_back, within=20)
        await succeeded(site, admin, task_id)
        await live.__aexit__(None, None, None)

    for answer in away:
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable"), answer.text
        assert int(answer.headers["retry-after"]) >= 1
    assert (ready.status_code, alive.status_code) == (503, 200)


async def succeeded(live: Live, client: Client, task_id: str) -> None:
    """Run what is due until a task has succeeded."""

    async def run() -> bool:
        with suppress(Unavailable):  # the worker may still hold connections to the old server
            await live.work()
        return bool((await client.task(task_id))["state"] == "succeeded")

    await wait_until(run, within=10)


async def test_a_stopping_process_sends_requests_elsewhere_before_it_refuses_any(
    system: System,
) -> None:
    """A load balancer needs a moment to notice; what it sends until then is served."""
    web = system.web(TASUKI_WEB__DRAIN_DELAY_S="3")
    async with Client(base_url=system.url, timeout=20) as client:
        await client.sign_in()
        before = await client.post(TASKS, json={"name": "test.echo"})
        web.process.send_signal(signal.SIGTERM)

        async def is_leaving() -> bool:
            return (await client.get("/readyz")).status_code == 503

        await wait_until(is_leaving, within=2)
        during = await client.post(TASKS, json={"name": "test.echo"})

    assert (before.status_code, before.headers.get("connection")) == (202, None)
    assert (during.status_code, during.headers.get("connection")) == (202, "close")
    assert web.process.wait(10) in {0, -signal.SIGTERM}


async def test_a_stop_ends_open_streams_and_then_the_process(
    system: System, admin: Client
) -> None:
    """Open streams would hold a stop up for ever; their clients come back to another process."""
    web = system.parts[0]
    task_id = await admin.order("test.echo")

    async with admin.stream("GET", f"{TASKS}/{task_id}/events") as answer:
        chunks = answer.aiter_text()
        assert "event: snapshot" in await anext(chunks)
        os.kill(web.process.pid, signal.SIGTERM)
        async with asyncio.timeout(3):
            rest = [chunk async for chunk in chunks]

    async def has_ended() -> bool:
        return web.process.poll() is not None

    await wait_until(has_ended, within=5)
    assert rest == []
    assert web.process.returncode in {0, -signal.SIGTERM}  # uvicorn passes its signal on
