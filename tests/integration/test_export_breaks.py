"""Exports that break off, by every way to a client: each client must be told, and may go on.

One system for all tests of this module: a web process, a plain nginx and ours before it.
"""

import asyncio
import hashlib
import resource
import ssl
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio

from support.browser import running_chromium
from support.cells import GATE
from support.client import Client
from support.downloading import WELL, Door, Downloader
from support.nginx import need_nginx, running_nginx, running_plain_nginx
from support.servers import Servers, free_port
from support.system import Part, System
from support.waiting import until, wait_until
from tasuki.core.database import Database
from tasuki.exports.cleaner import ExportCleaner
from tasuki.exports.settings import ExportsSettings
from tasuki.exports.spool import SpoolFolder

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]

STUCK, BIG, GATED, ENDLESS = (
    f"/api/v1/exports/{name}" for name in ("stuck", "big", "gated", "endless")
)
SLOW_BYTES = 10_000  # each tenth of a second: 100 kB/s
ENCODINGS = ("identity", "gzip", "zstd")
WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE application_name = 'tasuki-export' AND wait_event = 'PgSleep'
"""
BUSY = """
SELECT count(*) FROM pg_stat_activity
WHERE application_name = 'tasuki-export' AND state <> 'idle'
"""
KILL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"


@dataclass
class Site:
    """The system and the ways to it.

    Attributes:
        client: The admin, without anything between.
    """

    system: System
    web: Part
    port: int
    database: "asyncpg.Connection[Any]"
    client: Client
    doors: list[Door] = field(default_factory=list)
    token: str = ""

    @property
    def files(self) -> list[Path]:
        """The files of exports, whole or not."""
        return sorted((self.system.folder / "files" / "exports").glob("*"))

    async def count(self, query: str) -> int:
        """Return what a query counts."""
        found: int = await self.database.fetchval(query)
        return found

    async def are(self, query: str, count: int, *, within: float = 30) -> None:
        """Wait until a query counts so many."""

        async def look() -> bool:
            return await self.count(query) == count

        await wait_until(look, within=within, what=f"{count} of {query}")

    async def all_are(self, state: str, count: int) -> None:
        """Wait until the newest exports are all in a state."""

        async def are_they() -> bool:
            return {run["state"] for run in await self.runs(count)} == {state}

        await wait_until(are_they, within=10, what=f"{count} exports {state}")

    async def run(self, run_id: str) -> dict[str, Any]:
        """Return an export."""
        found: dict[str, Any] = (await self.client.get(f"/api/v1/exports/runs/{run_id}")).json()
        return found

    async def runs(self, limit: int = 200) -> list[dict[str, Any]]:
        """Return the newest exports."""
        answer = await self.client.get("/api/v1/exports/runs", params={"limit": limit})
        items: list[dict[str, Any]] = answer.json()["items"]
        return items


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def site(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Site]:
    """See the module; as many exports as there are clients may run."""
    need_nginx()
    folder = tmp_path_factory.mktemp("breaks")
    database_url = await servers.create_database()
    env = {
        "TASUKI_TASKS__MODULES": '["support.jobs", "support.cells"]',
        "TASUKI_WEB__TRUSTED_PROXIES": '["127.0.0.1"]',
        "TASUKI_EXPORTS__AT_ONCE": "50",
        "TASUKI_EXPORTS__PER_USER": "50",
    }
    async with AsyncExitStack() as stack:
        system = stack.enter_context(System(folder, database_url, servers.redis_url, env))
        port = free_port()
        web = await asyncio.to_thread(system.web, port)
        database = await asyncpg.connect(database_url)
        stack.push_async_callback(database.close)
        client = await stack.enter_async_context(Client(base_url=system.url, timeout=60))
        made = Site(system, web, port, database, await client.sign_in())
        token = await client.post("/api/v1/auth/tokens", json={"name": "downloads"})
        made.token = token.json()["token"]
        plain = await stack.enter_async_context(running_plain_nginx(folder / "plain", port))
        ours = await stack.enter_async_context(running_nginx(folder / "ours", [port, port]))
        made.doors = [
            Door("direct", system.url),
            Door("plain nginx", plain),
            Door("our nginx", ours.url, ours.certificate),
        ]
        yield made
    await servers.drop_database(database_url)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def downloader(site: Site) -> AsyncGenerator[Downloader]:
    """All programs."""
    async with running_chromium() as browser:
        made = Downloader(site.token, browser)
        await made.open()
        yield made
        made.close()


def ways(site: Site, downloader: Downloader) -> list[tuple[Door, str, str]]:
    """Return each program through each door with the encodings that make a difference to it."""
    encodings: dict[str, tuple[str, ...]]
    encodings = dict.fromkeys(downloader.programs, ("identity", "gzip"))
    encodings |= {"curl": ENCODINGS, "Chromium's download": ("identity",)}
    return [
        (door, name, encoding)
        for door in site.doors
        for name in downloader.programs
        for encoding in encodings[name]
    ]


async def test_a_lost_database_session_is_told_to_every_client(
    site: Site, downloader: Downloader
) -> None:
    """At three tenths of the rows, for all of them at once: none may take a part for the whole."""
    tried = ways(site, downloader)
    waiting = [
        asyncio.ensure_future(downloader.programs[name](door, f"{STUCK}?encoding={encoding}"))
        for door, name, encoding in tried
    ]
    await site.are(WAITING, len(tried))
    too_early = [way for way, task in zip(tried, waiting, strict=True) if task.done()]
    await site.database.execute(KILL)
    said = await asyncio.gather(*waiting)
    await site.all_are("failed", len(tried))

    assert too_early == []
    found = {(d.name, *way): words for (d, *way), words in zip(tried, said, strict=True)}
    assert [way for way, words in found.items() if words == WELL] == [], found
    assert found["direct", "curl", "identity"].startswith("exit 18")
    assert {run["error"] for run in await site.runs(len(tried))} == {"The database went away."}
    assert site.files == []


async def test_the_same_clients_take_a_whole_one_for_whole(
    site: Site, downloader: Downloader
) -> None:
    """The other half of it, or the first would prove nothing."""
    tried = [way for way in ways(site, downloader) if way[2] == "identity"]
    said = await asyncio.gather(
        *(
            downloader.programs[name](door, f"{BIG}?n_before=20000&encoding={encoding}")
            for door, name, encoding in tried
        )
    )

    assert set(said) == {WELL}, list(zip(tried, said, strict=True))
    assert {run["state"] for run in await site.runs(len(tried))} == {"complete"}


async def read_slowly(site: Site, door: Door, path: str, part: Path) -> None:
    """Download as over a slow line; `curl --limit-rate` does not always keep to its rate."""
    trust = ssl.create_default_context(cafile=door.certificate)
    headers = {"Authorization": f"Bearer {site.token}"}
    async with (
        httpx.AsyncClient(verify=trust, headers=headers, timeout=60) as client,
        client.stream("GET", f"{door.url}{path}") as answer,
    ):
        with part.open("wb", buffering=0) as file:
            async for data in answer.aiter_raw(SLOW_BYTES):
                file.write(data)
                await asyncio.sleep(0.1)


async def cut_off(reading: asyncio.Task[None]) -> None:
    """Leave a download, as somebody does whose line breaks."""
    reading.cancel()
    await asyncio.wait({reading})


async def go_on(site: Site, door: Door, run_id: str, part: Path) -> int:
    """Fetch what is missing of a part with curl, and return its exit code."""
    trust = ["--cacert", str(door.certificate)] if door.certificate else []
    url = f"{door.url}/api/v1/exports/runs/{run_id}/file"
    words = [
        "-sSf",
        "-C",
        "-",
        "-o",
        str(part),
        "-H",
        f"Authorization: Bearer {site.token}",
        *trust,
    ]
    rest = await asyncio.create_subprocess_exec("curl", *words, url)
    return await rest.wait()


@pytest.mark.parametrize(
    ("number", "encoding"), [(0, "identity"), (0, "zstd"), (1, "identity"), (2, "gzip")]
)
async def test_a_slow_client_holds_no_session_and_goes_on_where_it_was_cut(
    site: Site, tmp_path: Path, encoding: str, number: int
) -> None:
    """At 100 kB/s a download takes minutes; what is missing comes from the file of the run."""
    door, part = site.doors[number], tmp_path / "part"
    reading = asyncio.create_task(read_slowly(site, door, f"{BIG}?encoding={encoding}", part))
    try:
        await until(lambda: part.exists() and part.stat().st_size > 50_000, within=20)
        await site.are(BUSY, 0, within=10)
        is_still_reading = not reading.done()
    finally:
        await cut_off(reading)
    before, begun = part.stat().st_size, (await site.runs(1))[0]
    code, run = await go_on(site, door, begun["id"], part), await site.run(begun["id"])

    assert is_still_reading
    assert 0 < before < run["bytes"]
    assert (code, run["state"], run["rows"]) == (0, "complete", 100_000)
    assert hashlib.sha256(part.read_bytes()).hexdigest() == run["sha256"]


async def given_up(site: Site, part: Path, encoding: str) -> dict[str, Any]:
    """Begin to download, leave, and return the run once the server has given it up."""
    await site.database.execute("SELECT pg_advisory_lock($1)", GATE)
    try:
        path = f"{GATED}?encoding={encoding}"
        reading = asyncio.create_task(read_slowly(site, site.doors[0], path, part))
        await until(lambda: part.exists() and part.stat().st_size > 50_000, within=20)
        await cut_off(reading)
        await site.all_are("failed", 1)
    finally:
        await site.database.execute("SELECT pg_advisory_unlock($1)", GATE)
    return (await site.runs(1))[0]


@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_what_was_given_up_is_made_again_for_who_comes_back(
    site: Site, tmp_path: Path, encoding: str
) -> None:
    """Nobody's query runs for nobody; and who was only cut off loses nothing that has come."""
    part = tmp_path / "part"
    left = await given_up(site, part, encoding)
    before = part.stat().st_size
    code, run = await go_on(site, site.doors[0], left["id"], part), await site.run(left["id"])

    assert 50_000 < before <= left["bytes"] < run["bytes"]
    assert (left["is_to_be_had"], left["sha256"]) == (True, None)
    assert (code, run["state"], run["rows"], run["error"]) == (0, "complete", 100_000, None)
    assert hashlib.sha256(part.read_bytes()).hexdigest() == run["sha256"]


async def test_rows_that_are_others_by_now_are_not_added(site: Site, tmp_path: Path) -> None:
    """Two halves of different moments would look like a whole."""
    left = await given_up(site, tmp_path / "part", "identity")
    await site.client.new_user("meanwhile")

    answer = await site.client.get(f"/api/v1/exports/runs/{left['id']}/file")
    run = await site.run(left["id"])

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert "The rows are others by now" in answer.json()["detail"]
    assert (run["is_to_be_had"], run["state"]) == (False, "failed")


async def test_who_leaves_while_rows_come_is_told_that_it_was_given_up(site: Site) -> None:
    """It is no fault of ours; as one it would stand in the log, and could not be made again."""

    async def dropped() -> str:
        async with site.client.stream("GET", ENDLESS) as answer:
            await anext(answer.aiter_raw(1_000_000))
        return answer.headers["x-export-id"]

    left = await asyncio.gather(*(dropped() for _ in range(5)))
    await site.all_are("failed", len(left))
    runs = [run for run in await site.runs() if run["id"] in left]

    assert {(run["error"].partition(",")[0], run["is_to_be_had"]) for run in runs} == {
        ("It was given up", True)
    }


async def test_fifty_dropped_downloads_leave_nothing_behind(site: Site) -> None:
    """No session that works for nobody a second after its client has left, and no file."""

    async def dropped(client: httpx.AsyncClient) -> None:
        async with client.stream("GET", STUCK) as answer:
            await anext(answer.aiter_raw(1_000))

    headers = {"Authorization": f"Bearer {site.token}"}
    async with httpx.AsyncClient(base_url=site.system.url, headers=headers, timeout=60) as client:
        for _ in range(5):
            await asyncio.gather(*(dropped(client) for _ in range(10)))
    await site.are(BUSY, 0, within=1)
    await site.all_are("failed", 50)
    known = {run["id"].replace("-", "") for run in await site.runs() if run["state"] == "complete"}
    assert {path.name for path in site.files} <= known


async def test_a_full_disk_is_told_and_harms_nothing_else(site: Site) -> None:
    """The kernel lets the process write no file longer than three megabytes, as on a full disk."""
    limits = resource.prlimit(site.web.process.pid, resource.RLIMIT_FSIZE)
    whole = site.files
    resource.prlimit(site.web.process.pid, resource.RLIMIT_FSIZE, (3_000_000, limits[1]))
    try:
        with pytest.raises(httpx.RemoteProtocolError):
            await site.client.get(f"{BIG}?encoding=identity")
        small = await site.client.get(f"{BIG}?limit=10")
        health = await site.client.get("/readyz")
    finally:
        resource.prlimit(site.web.process.pid, resource.RLIMIT_FSIZE, limits)
    again = await site.client.get(f"{BIG}?encoding=identity")
    last, _, first = await site.runs(3)

    assert (small.status_code, health.status_code, again.status_code) == (200, 200, 200)
    assert (first["state"], last["state"]) == ("failed", "complete")
    assert first["error"] == "The file of the export cannot be written: File too large."
    assert len(site.files) == len(whole) + 2


async def test_a_killed_web_process_is_told_and_cleaned_up_after(
    site: Site, downloader: Downloader
) -> None:
    """Its clients see it at once, its runs say so after their silence, and its files go."""
    waiting = [
        asyncio.ensure_future(downloader.curl(door, f"{STUCK}?encoding=identity"))
        for door in site.doors
    ]
    await site.are(WAITING, len(waiting))
    before = [path for path in site.files if path.suffix == ".part"]
    site.web.kill()
    said = await asyncio.gather(*waiting)
    site.web = await asyncio.to_thread(site.system.web, site.port)
    await site.database.execute("UPDATE exports SET seen_at = now() - interval '31 seconds'")
    runs = await site.runs(len(waiting))
    await cleaned(site)

    assert WELL not in said
    assert len(before) == len(waiting)
    assert [run["state"] for run in runs] == ["failed"] * len(waiting)
    assert [path for path in site.files if path.suffix == ".part"] == []
    await site.are(BUSY, 0, within=5)


async def cleaned(site: Site) -> None:
    """Do what the task `exports.cleanup` does."""
    folder = SpoolFolder(site.files[0].parent, max_bytes=1, keep_free=0)
    database = Database(site.system.database_url)
    async with database.unit_of_work() as session:
        await ExportCleaner(folder=folder, settings=ExportsSettings()).delete_lost(session)
    await database.close()
