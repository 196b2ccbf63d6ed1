"""Exports in the console: files that are whole, and downloads that break where it can be seen."""

import csv
import hashlib
import io
import json
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest
from playwright.async_api import Browser, Locator, Page, Route, expect

from support.browser import window
from support.cells import GATE
from support.client import Client
from support.console import Window, heading
from support.cutting import Cutter
from support.system import ADMIN_PASSWORD, System
from support.waiting import wait_until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]

PEOPLE = 3_000
CUT_AT = 5_000_000
LINES = 20_000  # a kilobyte each


@asynccontextmanager
async def database_of(house: System) -> AsyncGenerator[Any]:
    """Have a connection to the database of a system."""
    connection = await asyncpg.connect(house.database_url)
    try:
        yield connection
    finally:
        await connection.close()


async def add_people(house: System, prefix: str, count: int = PEOPLE) -> None:
    """Fill the table of users, with names that spreadsheets take for formulas among them."""
    async with database_of(house) as database:
        await database.execute(
            """
            INSERT INTO users (username, email, name)
            SELECT $1 || n, $1 || n || '@example.org',
                   CASE WHEN n % 2 = 0 THEN '=1+' || n ELSE '山田 太郎' END
            FROM generate_series(1, $2::int) AS n
            """,
            prefix,
            count,
        )


async def choose(page: Page, dataset: str) -> None:
    """Open the page of exports with a dataset."""
    await page.goto(f"/exports?dataset={dataset}")
    await expect(page.get_by_role("group", name="Columns")).to_be_visible()


def panel(page: Page) -> Locator:
    """Return where the page tells of its download."""
    return page.get_by_label("Download", exact=True)


def button(page: Page, name: str) -> Locator:
    """Return a button by its whole name."""
    return page.get_by_role("button", name=name, exact=True)


async def saved_by(page: Page, press: Locator) -> tuple[str, bytes]:
    """Press something that saves a file in the end; return the file's name and content."""
    async with page.expect_download() as coming:
        await press.click()
    file = await coming.value
    return file.suggested_filename, Path(await file.path()).read_bytes()


async def look_elsewhere(page: Page) -> None:
    """Leave the page of exports for another, and come back."""
    await page.get_by_role("link", name="Account").click()
    await heading(page, "Account")
    await page.get_by_role("link", name="Exports").click()
    await heading(page, "Exports")


def files_of(page: Page) -> list[str]:
    """Return a list that will have the names of all files that a page saves."""
    names: list[str] = []
    page.on("download", lambda file: names.append(file.suggested_filename))
    return names


async def runs_of(page: Page) -> list[dict[str, Any]]:
    """Return the downloads of the window's user, the newest first."""
    answer = await (await page.request.get("/api/v1/exports/runs")).json()
    found: list[dict[str, Any]] = answer["items"]
    return found


async def test_users_are_saved_as_csv_for_excel_and_checked(
    console: Window, house: System, house_admin: Client
) -> None:
    """The button most people press: letters come out right, and no name acts as a formula."""
    await add_people(house, "excel")
    await house_admin.new_user("exporter", scopes=("export:pii",))
    async with console("exporter") as page:
        await page.goto("/")
        await page.get_by_role("navigation").get_by_role("link", name="Exports").click()
        await heading(page, "Exports")
        await page.get_by_label("Rows", exact=True).select_option("users")
        name, content = await saved_by(page, button(page, "Download CSV for Excel"))

        await expect(panel(page)).to_contain_text(re.compile("All of it is here.*3,0.. rows"))
        await expect(panel(page)).to_contain_text("Length and SHA-256 are as")
        row = page.get_by_role("table", name="Recent downloads").get_by_role("row").nth(1)
        await expect(row).to_contain_text("Whole")
        again, fetched = await saved_by(page, row.get_by_role("link", name="users.csv"))
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    assert content.startswith(b"\xef\xbb\xbf")
    assert sum(row["name"] == "山田 太郎" for row in rows) == PEOPLE / 2
    assert {row["name"][:4] for row in rows if "1+" in row["name"]} == {"'=1+"}
    assert list(rows[0]) == ["id", "username", "name", "email", "created_at"]
    assert (name, again, fetched) == ("users.csv", "users.csv", content)


async def test_what_is_chosen_is_what_comes(console: Window, house: System) -> None:
    """Columns, filters with times of one's own zone, order, format and name."""
    await add_people(house, "chosen", 30)
    async with console("admin") as page:
        await choose(page, "users")
        columns = page.get_by_role("group", name="Columns")
        for name in ("name", "email", "created_at"):
            await columns.get_by_label(name, exact=True).uncheck()
        await page.get_by_text("Only some rows").click()
        await page.get_by_label("username", exact=True).last.fill("chosen7")
        await page.get_by_label("created_at, from").fill("2020-01-01T09:00")
        await page.get_by_label("Order", exact=True).select_option("-created_at")
        await page.get_by_label("JSON", exact=False).first.check()
        await page.get_by_label("File name").fill("利用者 7")
        async with page.expect_request(re.compile("/exports/users")) as asking:
            name, content = await saved_by(page, button(page, "Download JSON"))
        query = parse_qs(urlsplit((await asking.value).url).query)

    assert [row["username"] for row in json.loads(content)] == ["chosen7"]
    assert list(json.loads(content)[0]) == query["columns"][0].split(",") == ["id", "username"]
    assert query["created_at_from"] == ["2020-01-01T00:00:00.000Z"]  # Tokyo is nine hours ahead
    assert query["sort"] == ["-created_at"]
    assert name == "利用者 7.json"


async def test_an_export_is_prepared_as_a_task_and_its_file_fetched(
    console: Window, house: System
) -> None:
    """For what takes long: it is watched on the same page, and goes on without it."""
    await add_people(house, "task")
    async with console("admin") as page:
        await choose(page, "users")
        await page.get_by_label("NDJSON").check()
        await button(page, "Prepare as a task").dblclick()
        prepared = page.get_by_label("Prepared as a task")
        await expect(prepared).to_contain_text("Succeeded")
        link = prepared.get_by_role("link", name="Download users.ndjson")
        name, content = await saved_by(page, link)
        await prepared.get_by_role("link", name="Export of users").click()
        await heading(page, "Export of users")
        ordered = await (await page.request.get("/api/v1/tasks?name=exports.run")).json()

    assert name == "users.ndjson"
    assert sum(b'"username":"task' in line for line in content.splitlines()) == PEOPLE
    assert len(ordered["items"]) == 1


async def test_a_download_whose_database_session_dies_is_not_saved(
    console: Window, house: System
) -> None:
    """Half a file looks like a whole one to whoever opens it; so there is none."""
    async with console("admin", expected=("net::ERR_",)) as page:
        saved = files_of(page)
        await choose(page, "lines")
        await button(page, "Download CSV for Excel").click()
        await expect(panel(page)).to_contain_text(re.compile(r"\d MB"))
        async with database_of(house) as database:
            await database.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'tasuki-export' AND datname = current_database()"
            )
        broken = panel(page).get_by_role("alert")
        await expect(broken).to_contain_text(re.compile(r"broke off at .* MB; it is not whole"))
        await expect(broken).to_contain_text("The database went away. The server can add what is")
        await expect(button(page, "Go on")).to_be_visible()
        assert (await runs_of(page))[0]["state"] == "failed"

        await button(page, "Begin anew").click()
        await expect(panel(page)).to_contain_text(re.compile(r"\d MB"))
        await button(page, "Cancel").click()
        await expect(panel(page)).to_contain_text("Nothing was saved.")
        await expect(button(page, "Begin anew")).to_be_focused()
        assert saved == []


@pytest.mark.parametrize("is_told", [True, False], ids=["cut", "silent"])
async def test_a_lost_download_goes_on_where_it_was_and_is_whole(
    browser: Browser, house: System, *, is_told: bool
) -> None:
    """It costs what was on its way, not what has come, and no second query; told of it or not."""
    cutter = Cutter(house.url, after=CUT_AT)
    as_admin: dict[str, Any] = {
        "username": "admin",
        "password": ADMIN_PASSWORD,
        "expected": ("net::ERR_",),
    }
    async with cutter.running(), window(browser, cutter.url, **as_admin) as page:
        await page.clock.install()
        saved = files_of(page)
        await choose(page, "lines")
        await page.get_by_label("At most (rows)").fill(str(LINES))
        before = len(await runs_of(page))
        await button(page, "Download CSV for Excel").click()
        await cutter.is_holding.wait()

        async def is_written() -> bool:
            return bool((await runs_of(page))[0]["state"] == "complete")

        await wait_until(is_written, within=20)
        await look_elsewhere(page)
        await expect(panel(page)).to_contain_text(re.compile(r"MB of 20 MB · 20,000 rows"))
        if is_told:
            cutter.cut()
        else:
            await page.clock.run_for(30_000)
        await expect(panel(page)).to_contain_text(
            re.compile(r"broke off at [45][.\d]* MB; it is not whole")
        )
        assert saved == []

        async with page.expect_request(re.compile("/file$")) as asking:
            _, content = await saved_by(page, button(page, "Go on"))
        asked = await (await asking.value).all_headers()
        runs = await runs_of(page)

    assert re.match(r"bytes=[45]\d{6}-$", asked["range"])
    assert len(runs) == before + 1
    assert hashlib.sha256(content).hexdigest() == runs[0]["sha256"]
    assert content.count(b"\n") == LINES + 1


async def test_what_the_server_has_given_up_is_made_again(console: Window, house: System) -> None:
    """Who is cut off from something long need not begin anew, though the server did not wait."""
    async with console("admin", expected=("net::ERR_", "503")) as page, database_of(house) as gate:
        await choose(page, "gated")
        await gate.execute("SELECT pg_advisory_lock($1)", GATE)
        await button(page, "Download CSV for Excel").click()
        await expect(panel(page)).to_contain_text(re.compile(r"\d [kM]B"))
        await gate.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE wait_event = 'advisory' AND datname = current_database()"
        )
        await expect(panel(page)).to_contain_text("The server can add what is missing")
        run = (await runs_of(page))[0]
        await gate.execute("SELECT pg_advisory_unlock($1)", GATE)
        _, content = await saved_by(page, button(page, "Go on"))
        again = (await runs_of(page))[0]

    assert (run["state"], again["state"], again["id"]) == ("failed", "complete", run["id"])
    assert hashlib.sha256(content).hexdigest() == again["sha256"]
    assert content.count(b"\n") == 100_001


async def test_what_only_seems_to_be_whole_is_not_saved(console: Window) -> None:
    """A proxy between may end a broken answer well, or change it; the run's record tells."""
    async with console("admin") as page:
        saved = files_of(page)
        endings = iter([b"", b"x" * 5_000])

        async def meddle(route: Route) -> None:
            answer = await route.fetch()
            body = (await answer.body())[:-5_000] + next(endings)
            await route.fulfill(response=answer, body=body)

        await page.route("**/api/v1/exports/lines?*", meddle)
        await choose(page, "lines")
        await page.get_by_label("At most (rows)").fill("20")
        await button(page, "Download CSV for Excel").click()
        await expect(panel(page)).to_contain_text(re.compile(r"broke off at 14.* not whole"))
        assert saved == []
        _, content = await saved_by(page, button(page, "Go on"))
        assert content.count(b"\n") == 21

        await button(page, "Download CSV for Excel").click()
        await expect(panel(page)).to_contain_text("Its SHA-256 is another.")
        assert saved == ["lines.csv"]


async def test_what_is_too_large_for_a_page_becomes_a_task(
    console: Window, house_admin: Client
) -> None:
    """A browser's tab may die of a gigabyte; its downloads do not."""
    async with console("admin", expected=("net::ERR_",)) as page:
        await choose(page, "lines")
        await button(page, "Download CSV for Excel").click()
        prepared = page.get_by_label("Prepared as a task")
        await expect(prepared).to_contain_text("Too large for this page", timeout=40_000)
        href = await prepared.get_by_role("link", name="Export of lines").get_attribute("href")
        await expect(panel(page)).to_be_hidden()
        answer = await house_admin.post(f"/api/v1{href}/cancel")

        assert answer.status_code == 202


async def test_everybody_is_offered_what_is_theirs_and_told_of_refusals(
    console: Window, house_admin: Client, person: str
) -> None:
    """Nobody is led to a door that is closed; who comes to one all the same reads why."""
    user_id = await house_admin.new_user("demoted", scopes=("export:pii",))
    async with console(person) as page:
        await page.goto("/exports?dataset=users")
        await expect(page.get_by_role("alert")).to_contain_text("no rows users")
        offered = page.get_by_label("Rows", exact=True)
        await expect(offered.get_by_role("option")).to_have_text(["activity", "messages", "tasks"])
        await expect(offered).to_have_accessible_description(re.compile("Only those .* yours"))
    async with console("demoted") as page:
        await choose(page, "users")
        await page.get_by_label("File name").fill("a/b")
        await button(page, "Download CSV for Excel").click()
        file_name = page.get_by_label("File name")
        await expect(file_name).to_have_accessible_description(re.compile("without slashes"))
        await expect(panel(page)).to_be_hidden()
        columns = page.get_by_role("group", name="Columns")
        for name in ("id", "username", "name", "email", "created_at"):
            await columns.get_by_label(name, exact=True).uncheck()
        await button(page, "Prepare as a task").click()
        await expect(page.get_by_text("Choose at least one column.")).to_be_visible()
        await button(page, "The usual").click()
        await file_name.fill("")
        await house_admin.patch(f"/api/v1/users/{user_id}", json={"scopes": []})
        for name in ("Download CSV for Excel", "Prepare as a task"):
            await button(page, name).click()
            await expect(page.get_by_role("alert")).to_contain_text("needs the scope export:pii")
