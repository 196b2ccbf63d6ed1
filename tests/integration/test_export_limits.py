"""What an export may take: connections, slots, disk, time; and who cleans up after it."""

import asyncio
import itertools
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from support.client import Client
from support.live import Live, live_settings, running_live
from support.servers import Servers
from support.waiting import until, wait_until
from tasuki.core.errors import ValidationFailed
from tasuki.exports.errors import ExportFailed
from tasuki.exports.spool import Spool

pytestmark = pytest.mark.asyncio(loop_scope="module")
numbers = itertools.count(1)

MODULES = ("support.jobs", "support.cells")
BUSY = """
SELECT count(*) FROM pg_stat_activity
WHERE application_name = 'tasuki-export' AND state <> 'idle'
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Live]:
    """A system with a dataset whose first row takes a minute."""
    database_url = await servers.create_database()
    folder = tmp_path_factory.mktemp("limits")
    settings = live_settings(database_url, servers.redis_url, folder, modules=MODULES)
    async with running_live(settings) as made:
        yield made
    await servers.drop_database(database_url)


@pytest_asyncio.fixture(loop_scope="module")
async def client(site: Live) -> Client:
    """Somebody new."""
    return await site.user(f"seller{next(numbers)}", scopes=("export:cells",))


async def busy(site: Live) -> int:
    """Return how many exports the database works on."""
    async with site.database.driver() as database:
        found: int = await database.fetchval(BUSY)
    return found


async def states(client: Client) -> list[str]:
    """Return the states of a client's exports."""
    runs = (await client.get("/api/v1/exports/runs")).json()["items"]
    return [run["state"] for run in runs]


async def files(site: Live, client: Client) -> list[Path]:
    """Return the files of a client's exports, whole or not."""
    runs = (await client.get("/api/v1/exports/runs")).json()["items"]
    ids = {run["id"].replace("-", "") for run in runs}
    return [path for path in site.files() if path.stem in ids]


async def test_a_client_that_leaves_before_the_first_row_frees_all(
    site: Live, client: Client
) -> None:
    """Nothing is sent yet that could fail to be sent, and the query might run for minutes."""
    leaving = [asyncio.create_task(client.get("/api/v1/exports/slow")) for _ in range(2)]

    async def are_busy() -> bool:
        return await busy(site) == 2

    await wait_until(are_busy, within=5)
    third = await client.get("/api/v1/exports/slow")
    for task in leaving:
        task.cancel()
    await asyncio.wait(leaving)

    async def is_free() -> bool:
        return await busy(site) == 0

    await wait_until(is_free, within=3)
    assert (third.status_code, third.headers["retry-after"]) == (429, "2")
    assert third.json()["code"] == "rate_limited"
    assert await states(client) == ["failed", "failed"]
    assert await files(site, client) == []


async def test_an_export_without_a_row_yet_is_not_taken_for_lost(
    site: Live, client: Client
) -> None:
    """Who looks after it, looks whether it lives, and not whether it has got anywhere."""
    waiting = asyncio.create_task(client.get("/api/v1/exports/slow", timeout=60))

    async def is_running() -> bool:
        return await states(client) == ["running"]

    await wait_until(is_running, within=5)
    async with site.database.driver() as database:
        # As if it had begun a minute ago and never said a word since.
        await database.execute("UPDATE exports SET seen_at = now() - interval '1 minute'")
    assert await states(client) == ["failed"]
    await wait_until(is_running, within=5)
    waiting.cancel()


async def test_what_a_killed_process_was_writing_is_deleted(site: Live, client: Client) -> None:
    """Its silence says that it is gone; its file may be as large as the disk."""
    answer = await client.get("/api/v1/exports/activity")
    [file] = await files(site, client)
    file.rename(file.with_suffix(".part"))
    async with site.database.driver() as database:
        await database.execute(
            "UPDATE exports SET state = 'running', seen_at = now() - interval '1 minute'"
            " WHERE id = $1",
            UUID(answer.headers["x-export-id"]),
        )
    await cleaned(site)

    assert await files(site, client) == []
    assert await states(client) == ["failed"]


async def cleaned(site: Live) -> None:
    """Run the cleanup as the scheduler orders it."""
    admin = await site.user(f"admin{next(numbers)}", role="admin")
    await admin.order("exports.cleanup")
    await site.work("cleanup")


async def test_files_and_records_of_the_past_are_deleted(site: Live, client: Client) -> None:
    """An hour after it was made, nothing is left of an export."""
    answer = await client.get("/api/v1/exports/activity")
    [file] = await files(site, client)
    async with site.database.driver() as database:
        await database.execute("UPDATE exports SET expires_at = now() - interval '1 second'")
    await cleaned(site)

    assert not file.exists()
    assert await states(client) == []
    assert (await client.get(answer.headers["content-location"])).status_code == 404


async def test_a_disk_that_fills_up_is_left_to_others(tmp_path: Path) -> None:
    """The database may live on the same disk, and stops where there is no room for its journal."""
    spool = Spool(tmp_path / "file", max_bytes=2**40, keep_free=2**60)
    with pytest.raises(ExportFailed, match="The disk for exports is full"):
        await spool.write(b"much")
    spool.fail(ExportFailed())
    spool.close()

    assert list(tmp_path.iterdir()) == []


async def test_a_file_has_a_largest_size(tmp_path: Path) -> None:
    """One export must not take what all others need."""
    spool = Spool(tmp_path / "file", max_bytes=1_000, keep_free=0)
    await spool.write(b"x" * 1_000)
    with pytest.raises(ValidationFailed, match="larger than 1000 bytes"):
        await spool.write(b"x")
    spool.close()


async def test_a_write_that_is_interrupted_is_over_when_its_file_is_closed(tmp_path: Path) -> None:
    """A thread goes on after the interruption; it must not write into somebody else's file."""
    spool = Spool(tmp_path / "file", max_bytes=2**40, keep_free=0)
    await spool.write(b"begun")
    writing = asyncio.create_task(spool.write(b"x" * 50_000_000))
    await until(lambda: (tmp_path / "file.part").stat().st_size > 5, within=5)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    size = (tmp_path / "file.part").stat().st_size
    spool.fail(ValidationFailed("over"))
    spool.close()

    assert size == 50_000_005
    assert list(tmp_path.iterdir()) == []


async def test_the_end_is_sent_when_the_record_says_so(client: Client) -> None:
    """Who has received all asks for the hash at once."""
    found: list[Any] = []
    for _ in range(10):
        answer = await client.get("/api/v1/exports/activity")
        run = await client.get(f"/api/v1/exports/runs/{answer.headers['x-export-id']}")
        found.append(run.json()["state"])

    assert found == ["complete"] * 10
