"""The console's pages for operators, and those of batches, before real workers."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from support.client import Client
from support.console import PLACES, Window, answered_late, heading, order, order_batch
from support.system import System

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]


def row_of(page: Page, table: str, text: str | re.Pattern[str]) -> Locator:
    """Return the rows of a table that have this text."""
    return page.get_by_role("table", name=table).get_by_role("row").filter(has_text=text)


async def test_only_an_admin_sees_the_operators_pages(console: Window, person: str) -> None:
    """A plain user is offered none of them, and whoever knows an address is told why not."""
    async with console(person) as page:
        for place in PLACES:
            await page.goto(f"/admin/{place}")
            await heading(page, "Not yours")
            await expect(page.get_by_role("main")).to_contain_text("Only an admin")
        await expect(page.get_by_role("navigation", name="Operations")).to_have_count(0)
        await page.get_by_role("link", name="Go to my tasks").click()
        await heading(page, "My tasks")
    async with console("admin") as page:
        await page.goto("/")
        links = page.get_by_role("navigation", name="Operations").get_by_role("link")
        await expect(links).to_have_text([place.capitalize() for place in PLACES])
        await links.first.click()
        await heading(page, "Queues")
        await expect(links.first).to_have_attribute("aria-current", "page")


async def test_queues_tell_what_runs_waits_and_fails(
    console: Window, house_admin: Client, tmp_path: Path
) -> None:
    """One look says where work is stuck; what is quiet does not stand in the way."""
    async with console("admin") as page:
        held = await order(page, "console.say", lines=[], hold=str(tmp_path / "go"))
        broken = await order(page, "console.say", lines=[], fail="broken")
        later = await house_admin.order_with("test.echo", {}, delay_s=3600)
        await house_admin.ended(broken)
        await house_admin.in_state(held, "running")
        await page.goto("/admin/queues")

        io = row_of(page, "Queues", "defaultio")
        await expect(io.get_by_role("cell").nth(2)).to_have_text(re.compile(r"^[1-9]"))
        await expect(io.get_by_role("cell").nth(3)).to_have_text(re.compile(r"^[1-9]"))
        await expect(io.get_by_role("cell").nth(4)).to_contain_text(re.compile(r"^[1-9]"))
        await page.get_by_label("Show also what is quiet").check()
        local = row_of(page, "Queues", "cleanuplocal")
        await expect(local.get_by_role("cell").last).to_have_text("none")  # it has no broker
        await io.get_by_role("link", name="see them").click()

        await heading(page, "Failures")
        await expect(page.get_by_label("Only", exact=True)).to_contain_text("queue default")
        await expect(row_of(page, "Failed tasks", "broken").first).to_be_visible()
        (tmp_path / "go").touch()
        await house_admin.post(f"/api/v1/tasks/{later['id']}/cancel")


async def test_workers_are_shown_with_what_they_run(
    console: Window, house: System, house_admin: Client, tmp_path: Path
) -> None:
    """Which process holds this task, and is it alive: the first question when work hangs."""
    pids = {part.name: part.process.pid for part in house.parts}
    async with console("admin") as page:
        held = await order(page, "console.say", lines=[], hold=str(tmp_path / "go"))
        await house_admin.in_state(held, "running")
        await page.goto("/admin/workers")

        io = row_of(page, "Workers", f"process {pids['io-worker']}")
        cpu = row_of(page, "Workers", f"process {pids['cpu-worker']}")
        await expect(cpu).to_contain_text("Alive")
        await expect(io).to_contain_text(re.compile("Alive.*of 100"))
        await io.locator(f'a[href="/tasks/{held}"]').click()

        await heading(page, "console.say")
        (tmp_path / "go").touch()
        await expect(page.get_by_label("State", exact=True)).to_contain_text("Succeeded")


async def test_where_no_worker_lives_the_page_says_how_to_start_one(console: Window) -> None:
    """The empty page is the one that somebody sees who has just installed it."""
    async with console("admin") as page:
        await page.route(
            "**/api/v1/admin/workers", lambda route: route.fulfill(json={"items": [], "lost": []})
        )
        await page.goto("/admin/workers")

        await expect(page.get_by_text("No worker lives")).to_be_visible()
        await expect(page.get_by_text("tasuki worker --lane cpu")).to_be_visible()


async def test_a_schedule_is_switched_off_and_on(console: Window, house_admin: Client) -> None:
    """The switch moves when the server has said so, and stays where it is if it could not."""

    async def is_enabled() -> bool:
        found = (await house_admin.get("/api/v1/schedules")).json()["items"]
        return next(bool(one["enabled"]) for one in found if one["name"] == "tasks.cleanup")

    async with console("admin", expected=("net::ERR_",)) as page:
        await page.goto("/admin/schedules")
        row = row_of(page, "Schedules", "tasks.cleanup")
        switch = row.get_by_role("switch", name="Schedule tasks.cleanup")
        await expect(row).to_contain_text("Every hour")
        await expect(switch).to_be_checked()

        await switch.press("Space")
        await expect(switch).not_to_be_checked()
        assert await is_enabled() is False
        await page.reload()
        await expect(row).to_contain_text("switched off")

        await page.context.set_offline(True)
        await switch.click()
        await expect(page.get_by_role("alert").first).to_contain_text("Not connected")
        await expect(switch).not_to_be_checked()
        await page.context.set_offline(False)
        await switch.click()
        await expect(switch).to_be_checked()
        assert await is_enabled() is True


async def test_failures_are_replayed_one_by_one_some_and_all(
    console: Window, house_admin: Client, tmp_path: Path
) -> None:
    """Somebody mends the cause, and then nothing of the work is lost."""
    file = tmp_path / "what was missing"
    async with console("admin") as page:
        old = [await order(page, "console.need", file=str(file)) for _ in range(5)]
        for task_id in old:
            await house_admin.ended(task_id)
        await page.goto("/admin/failures")
        group = row_of(page, "Failures by task and error", "console.need")
        await expect(group).to_contain_text(re.compile("FileNotFoundError.*is missing.*5"))
        await group.get_by_role("button", name="Only console.need").click()
        await expect(page).to_have_url(re.compile("error_type=FileNotFoundError"))
        rows = row_of(page, "Failed tasks", "console.need")
        await expect(rows).to_have_count(5)

        file.touch()
        await rows.first.get_by_role("button", name="Replay console.need").click()
        await expect(page.get_by_role("main")).to_contain_text("1 task ordered again")
        await expect(rows).to_have_count(4)

        for row in (rows.nth(0), rows.nth(1)):
            await row.get_by_role("checkbox").check()
        await page.get_by_role("button", name="Replay 2 chosen").click()
        await page.get_by_role("dialog").get_by_role("button", name="Replay").click()
        await expect(page.get_by_role("main")).to_contain_text("2 tasks ordered again")
        await expect(rows).to_have_count(2)

        await page.get_by_role("button", name="Replay all 2").click()
        question = page.get_by_role("dialog", name="Replay 2 tasks?")
        await expect(question).to_contain_text("FileNotFoundError")
        await question.get_by_role("button", name="Replay 2 tasks").click()
        await heading(page, "Replay of many")
        await expect(page.get_by_label("State", exact=True)).to_contain_text("Succeeded")

        await page.goto("/admin/failures?name=console.need")
        await expect(page.get_by_text("No failure matches")).to_be_visible()
    for task_id in old:
        assert [task["state"] for task in await replays_of(house_admin, task_id)] == ["succeeded"]


async def replays_of(client: Client, task_id: str) -> list[dict[str, Any]]:
    """Return the tasks that replay one, when they have ended."""
    found = (await client.get("/api/v1/tasks", params={"replay_of": task_id})).json()["items"]
    return [await client.ended(task["id"]) for task in found]


async def test_ones_own_task_is_replayed_from_its_page(console: Window, person: str) -> None:
    """Who ordered it needs no operator; the two tasks know of each other."""
    async with console(person) as page:
        old = await order(page, "console.say", lines=[], fail="broken")
        await page.goto(f"/tasks/{old}")
        await page.get_by_role("button", name="Replay").click()

        await expect(page).not_to_have_url(re.compile(old))
        await expect(page.get_by_label("State", exact=True)).to_contain_text("Failed")
        await page.get_by_label("Related").get_by_role("link", name="an earlier task").click()
        await expect(page).to_have_url(re.compile(old))
        await expect(page.get_by_label("Related")).to_contain_text(
            re.compile("Replayed as.*Failed")
        )


async def test_a_batch_is_watched_to_its_end_and_leads_to_its_tasks(
    console: Window, tmp_path: Path
) -> None:
    """Many tasks are one thing to whoever ordered them, and can be looked into all the same."""
    hold = tmp_path / "go"
    quick: dict[str, Any] = {"lines": []}
    async with console("admin") as page:
        batch_id = await order_batch(
            page,
            "console.say",
            [quick] * 3
            + [{"lines": [], "fail": "broken"}]
            + [{"lines": [], "hold": str(hold)}] * 2,
        )
        await page.goto(f"/batches/{batch_id}")
        state = page.get_by_label("State", exact=True)
        await expect(state).to_contain_text("4 of 6 have ended")
        await expect(state).to_contain_text("Under way")
        await page.evaluate("window.isTheSamePage = true")
        hold.touch()
        await expect(state).to_contain_text("Over, not all well")
        await expect(state).to_contain_text(re.compile("Succeeded5.*Failed1"))
        assert await page.evaluate("window.isTheSamePage") is True
        await expect(page.get_by_role("button", name="Cancel the batch")).to_be_hidden()

        await page.get_by_role("link", name="See them in the list").click()
        rows = page.get_by_role("rowgroup").last.get_by_role("row")
        await expect(rows).to_have_count(6)
        await page.get_by_label("State").select_option("failed")
        await expect(rows).to_have_count(1)
        await rows.get_by_role("link", name="console.say").click()
        await page.get_by_label("Related").get_by_role("link", name="a batch").click()

        await heading(page, "Batch of console.say")
        await page.get_by_role("button", name="Replay what failed").click()
        await page.get_by_role("dialog").get_by_role("button", name="Replay").click()
        await heading(page, "Replay of many")
        await expect(page.get_by_label("State", exact=True)).to_contain_text("Succeeded")
        await expect(page.get_by_label("Result")).to_contain_text('"replayed": 1')


async def test_a_batch_is_cancelled_as_a_whole(console: Window, house_admin: Client) -> None:
    """A thousand mails with a mistake in them are stopped by one click, after a question."""
    async with console("admin") as page:
        batch_id = await order_batch(page, "console.say", [{"lines": [], "hold": "/nowhere"}] * 3)
        await page.goto(f"/batches/{batch_id}")
        cancel = page.get_by_role("button", name="Cancel the batch")
        await cancel.click()
        await page.get_by_role("button", name="Keep it").click()
        await expect(page.get_by_label("State", exact=True)).to_contain_text("Under way")
        state = page.get_by_label("State", exact=True)
        async with answered_late(page, "**/cancel", state, "some cancelled"):
            await cancel.click()
            await page.get_by_role("button", name="Cancel all of it").click()

        await expect(state).to_contain_text("some cancelled")
        found = (await house_admin.get(f"/api/v1/batches/{batch_id}")).json()
        assert found["cancelled"] == 3


async def test_tasks_are_found_by_their_tag(console: Window, house_admin: Client) -> None:
    """A tag is how one's own words come back in the list; what comes to match is shown too."""
    first = await house_admin.order_with("test.echo", {}, tags=["spring"])
    await house_admin.order_with("test.echo", {}, tags=["autumn"])
    async with console("admin") as page:
        await page.goto("/tasks")
        await page.get_by_label("Tag").fill("spring")
        rows = page.get_by_role("rowgroup").last.get_by_role("row")
        await expect(page).to_have_url(re.compile(r"\?tag=spring$"))
        await expect(rows).to_have_count(1)
        await expect(rows.locator(f'a[href="/tasks/{first["id"]}"]')).to_be_visible()
        await house_admin.order_with("test.echo", {}, tags=["spring", "x"])
        await expect(rows).to_have_count(2)
