"""The console in a real Chromium, before a real system: what people do there every day."""

import asyncio
import re
from pathlib import Path

import pytest
from playwright.async_api import expect

from support.client import Client
from support.console import HOSTILE, Window, answered_late, heading, order, tab_to
from support.servers import free_port
from support.system import ADMIN_PASSWORD, Part, System

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]


async def test_a_wrong_password_is_refused_and_the_right_one_leads_to_the_tasks(
    console: Window, person: str
) -> None:
    """The first thing anybody does; a typing error must cost no more than the password."""
    async with console() as page:
        await page.goto("/account")
        await page.get_by_label("Username").fill(person)
        await page.get_by_label("Password").fill("not this one")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("alert")).to_contain_text("Wrong name or password")
        await expect(page.get_by_label("Password")).to_be_focused()
        await expect(page.get_by_label("Username")).to_have_value(person)

        await page.keyboard.type(ADMIN_PASSWORD)
        await page.keyboard.press("Enter")

        await heading(page, "Account")  # where the address pointed from the start
        await expect(page).to_have_title("Account · Tasuki")


async def test_a_report_is_ordered_once_watched_to_its_end_and_downloaded(
    console: Window, person: str
) -> None:
    """The whole promise in one walk; a double click must not order two."""
    async with console(person) as page:
        await page.goto("/")
        await expect(page.get_by_text("Nothing on its way yet")).to_be_visible()
        await page.get_by_role("main").get_by_role("link", name="Order a report").first.click()
        await heading(page, "Order a report")
        await expect(page.get_by_label("Time zone")).to_have_value("Asia/Tokyo")
        await page.get_by_role("button", name="7 days").click()
        await page.get_by_label("Language").select_option("ja")
        await page.get_by_role("button", name="Order the report").dblclick()

        await heading(page, "Activity report")
        download = page.get_by_role("link", name=re.compile("^Download activity-"))
        await expect(download).to_be_visible()
        await expect(page.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "100")
        await expect(page.get_by_label("Attempts")).to_contain_text("Attempt 1 started")
        async with page.expect_download() as coming:
            await download.click()
        file = await coming.value

        assert file.suggested_filename.endswith(".pdf")
        assert (await file.path()).read_bytes().startswith(b"%PDF")
        listed = await (await page.request.get("/api/v1/tasks")).json()
        assert [task["args"]["days"] for task in listed["items"]] == [7]


async def test_the_list_shows_new_tasks_and_their_end_without_a_reload(
    console: Window, person: str, tmp_path: Path
) -> None:
    """What is shown stays true, and neither focus nor selection is lost when it changes."""
    async with console(person) as page:
        hold = tmp_path / "go"
        first = await order(page, "console.say", lines=["one"], hold=str(hold))
        await page.goto("/")
        await page.evaluate("window.isTheSamePage = true")
        link = page.locator(f'a[href="/tasks/{first}"]')
        await link.focus()
        row = page.get_by_role("row").filter(has=link)
        await expect(row).to_contain_text("Running")

        second = await order(page, "test.echo", text="later")
        await expect(page.locator(f'a[href="/tasks/{second}"]')).to_be_visible()
        hold.touch()
        await expect(row).to_contain_text("Succeeded")

        await expect(link).to_be_focused()
        assert await page.evaluate("window.isTheSamePage") is True
        rows = page.get_by_role("rowgroup").last.get_by_role("row")
        await expect(rows).to_have_count(2)
        await expect(rows.first).to_contain_text("test.echo")


async def test_the_list_is_filtered_and_the_filter_is_part_of_the_address(
    console: Window, person: str
) -> None:
    """A filtered list can be kept as a bookmark, and shows what comes to match."""
    async with console(person) as page:
        await order(page, "test.echo")
        await page.goto("/?name=test.echo")
        await expect(page.get_by_role("link", name="test.echo")).to_be_visible()

        await page.get_by_label("State").select_option("failed")
        await expect(page.get_by_text("No task matches")).to_be_visible()
        await expect(page).to_have_url(re.compile(r"\?state=failed&name=test\.echo$"))
        await page.get_by_role("button", name="Clear").click()
        await order(page, "console.say", lines=[], fail="broken")

        await expect(page.get_by_role("link", name="console.say")).to_be_visible()
        await expect(page).to_have_url(re.compile(r"/$"))


async def test_older_tasks_come_with_a_click(console: Window, person: str) -> None:
    """A long list stays quick, and nothing in it is out of reach."""
    async with console(person) as page:
        await asyncio.gather(*(order(page, "test.echo", text=str(n)) for n in range(53)))
        await page.goto("/")
        rows = page.get_by_role("rowgroup").last.get_by_role("row")
        await expect(rows).to_have_count(50)
        await page.get_by_role("button", name="Show more").click()

        await expect(rows).to_have_count(53)
        await expect(page.get_by_role("button", name="Show more")).to_be_hidden()
        await expect(rows.nth(50).get_by_role("link")).to_be_focused()


async def test_a_running_task_is_cancelled_after_a_question(console: Window, person: str) -> None:
    """Stopping work is one of the things a console is for; by mistake it must not happen."""
    async with console(person) as page:
        task_id = await order(page, "console.say", lines=["begun"], hold="/nowhere")
        await page.goto(f"/tasks/{task_id}")
        state = page.get_by_label("State", exact=True)
        await expect(state).to_contain_text("Running")
        cancel = page.get_by_role("button", name="Cancel task")
        await cancel.click()
        await page.get_by_role("button", name="Keep it").click()
        await expect(cancel).to_be_focused()
        await expect(state).to_contain_text("Running")

        async with answered_late(page, "**/cancel", state, "Cancelled"):
            await cancel.click()
            await page.get_by_role("button", name="Cancel the task").click()

        await expect(state).to_contain_text("Cancelled")
        await expect(cancel).to_be_hidden()


async def test_everything_works_with_the_keyboard_alone(
    console: Window, person: str, tmp_path: Path
) -> None:
    """Sign in, order, and cancel without ever touching a mouse."""
    async with console() as page:
        await page.goto("/")
        await tab_to(page, 'input[name="username"]')
        await page.keyboard.type(person)
        await page.keyboard.press("Tab")
        await page.keyboard.type(ADMIN_PASSWORD)
        await page.keyboard.press("Enter")
        await heading(page, "My tasks")

        await tab_to(page, 'nav a[href="/reports/new"]')
        await page.keyboard.press("Enter")
        await heading(page, "Order a report")
        await expect(page.get_by_role("heading", level=1)).to_be_focused()
        await tab_to(page, 'button[type="submit"]')
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("link", name=re.compile("^Download"))).to_be_visible()

        task_id = await order(page, "console.say", lines=["x"], hold=str(tmp_path / "never"))
        await tab_to(page, "nav a")
        await page.keyboard.press("Enter")
        await tab_to(page, f'a[href="/tasks/{task_id}"]')
        await page.keyboard.press("Enter")
        await tab_to(page, ".cancel button")
        await page.keyboard.press("Enter")
        await tab_to(page, 'dialog button[value="yes"]')
        await page.keyboard.press("Enter")
        await expect(page.get_by_label("State", exact=True)).to_contain_text("Cancelled")


async def test_text_of_users_never_becomes_markup(
    console: Window, person: str, tmp_path: Path
) -> None:
    """Log lines, messages, arguments, errors, results and names are shown as they were written."""
    async with console(person) as page:
        hold = tmp_path / "go"
        bad = await order(
            page, "console.say", lines=[HOSTILE], hold=str(hold), then=[HOSTILE], fail=HOSTILE
        )
        await page.goto(f"/tasks/{bad}")
        log = page.get_by_label("Log lines").get_by_role("listitem")
        await expect(log).to_have_count(1)
        await expect(page.get_by_label("State", exact=True)).to_contain_text(HOSTILE)
        hold.touch()
        await expect(page.get_by_role("alert")).to_contain_text(HOSTILE)
        await expect(log).to_have_count(2)
        await expect(log.last).to_contain_text(HOSTILE)

        good = await order(page, "console.say", lines=[HOSTILE])
        await page.goto(f"/tasks/{good}")
        await expect(page.get_by_label("Result")).to_contain_text("onerror")
        await page.goto("/")
        await expect(page.get_by_role("main")).to_contain_text(HOSTILE)
        await page.goto("/account")
        await page.get_by_label("New token for").fill(HOSTILE)
        await page.keyboard.press("Enter")
        await expect(page.get_by_label("API tokens")).to_contain_text(HOSTILE)

        assert await page.locator("img[src='x'], main script").count() == 0


async def test_a_task_page_shows_each_line_once_even_if_the_web_process_restarts(
    console: Window, person: str, house: System, tmp_path: Path
) -> None:
    """Whoever comes late, or loses the connection, sees the same log as all others."""
    port = free_port()
    house_url = house.url
    web = await asyncio.to_thread(_web_on, house, port)
    house.url = f"http://127.0.0.1:{port}"
    try:
        async with console(person, expected=("net::ERR_",)) as page:
            hold = tmp_path / "go"
            task_id = await order(
                page, "console.say", lines=["early 1", "early 2"], hold=str(hold), then=["late"]
            )
            log = page.get_by_label("Log lines").get_by_role("listitem")
            await page.goto(f"/tasks/{task_id}")
            await expect(log).to_have_count(2)
            await page.reload()
            await expect(log).to_have_count(2)
            await expect(page.get_by_text("Live", exact=True)).to_be_visible()

            await asyncio.to_thread(web.stop)
            await expect(page.get_by_text("Reconnecting…")).to_be_visible()
            hold.touch()
            await asyncio.to_thread(_web_on, house, port)

            await expect(page.get_by_label("State", exact=True)).to_contain_text("Succeeded")
            await expect(log).to_have_text(
                [re.compile("early 1$"), re.compile("early 2$"), re.compile("late$")]
            )
    finally:
        house.url = house_url


def _web_on(house: System, port: int) -> Part:
    return house._start("web", "web", "--port", str(port), env={})[0]


async def test_a_session_that_ended_elsewhere_leads_back_to_the_sign_in(
    console: Window, person: str
) -> None:
    """The page says why it shows the sign-in, and goes on where it was."""
    async with console(person) as page:
        await page.goto("/?state=failed")
        await heading(page, "My tasks")
        sessions = await (await page.request.get("/api/v1/auth/sessions")).json()
        await page.request.delete(f"/api/v1/auth/sessions/{sessions['items'][0]['id']}")

        await expect(page.get_by_role("main")).to_contain_text("Your session has ended")
        await page.get_by_label("Username").fill(person)
        await page.get_by_label("Password").fill(ADMIN_PASSWORD)
        await page.keyboard.press("Enter")

        await heading(page, "My tasks")
        await expect(page.get_by_label("State")).to_have_value("failed")


async def test_an_admin_sees_whose_a_task_is(
    console: Window, house_admin: Client, person: str
) -> None:
    """Operators look after everybody's work, and must know whom to ask."""
    async with console(person) as theirs:
        task_id = await order(theirs, "test.echo", text="mine")
    await house_admin.ended(task_id)
    async with console("admin") as page:
        await page.goto("/")
        await heading(page, "Tasks")
        row = page.get_by_role("row").filter(has=page.locator(f'a[href="/tasks/{task_id}"]'))
        await expect(row.get_by_role("cell").nth(3)).to_contain_text(person)
