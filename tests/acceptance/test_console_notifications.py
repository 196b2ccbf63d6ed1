"""What people are told, in the console: the bell, the inbox, and the tab's one stream."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from support.client import Client
from support.console import HOSTILE, Window, heading, order

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]

Tell = Callable[..., Awaitable[str]]


@pytest.fixture
def tell(house_admin: Client) -> Tell:
    """Tell users something, as an admin; without one, everybody."""

    async def run(title: str, username: str | None = None, **more: Any) -> str:
        to: dict[str, Any] = {"broadcast": True}
        if username is not None:
            to = {"user_id": await id_of(house_admin, username)}
        body = {"notification_type": "note", "title": title, "message": "The rest of it.", **to}
        answer = await house_admin.post("/api/v1/notifications", json=body | more)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    return run


async def id_of(admin: Client, username: str) -> int:
    """Return a user's number."""
    answer = await admin.get("/api/v1/users", params={"limit": 200})
    return {one["username"]: int(one["id"]) for one in answer.json()["items"]}[username]


def bell(page: Page, unread: int) -> Locator:
    """Return the bell that shows so many unread ones."""
    name = f"Notifications, {unread} unread" if unread else "Notifications"
    return page.get_by_role("banner").get_by_role("button", name=name, exact=True)


def inbox(page: Page) -> Locator:
    """Return the bell's panel."""
    return page.get_by_role("dialog", name="Notifications")


async def test_a_notification_arrives_without_a_reload_and_opening_it_reads_it_in_every_tab(
    console: Window, person: str, tell: Tell
) -> None:
    """Whoever works in two tabs must not be told the same thing twice."""
    async with console(person) as page:
        task_id = await order(page, "test.echo", text="told")
        other = await page.context.new_page()
        for tab in (page, other):
            await tab.goto("/account")
            await expect(bell(tab, 0)).to_be_visible()
            await expect(tab.get_by_text("Live", exact=True)).to_be_visible()

        await tell("Your echo is back", person, data={"task_id": task_id})
        await tell(HOSTILE, person)
        await tell("The house is closed tomorrow")
        for tab in (page, other):
            await expect(bell(tab, 3)).to_be_visible()
            await expect(tab).to_have_title("(3) Account · Tasuki")
        await expect(page.get_by_role("status").first).to_contain_text("The house is closed")
        await bell(page, 3).click()
        items = inbox(page).get_by_role("listitem")
        await expect(items).to_have_count(3)
        await expect(items.first).to_contain_text("to everybody")
        await expect(items.nth(1)).to_contain_text(HOSTILE)
        await items.last.get_by_role("link").click()

        await heading(page, "test.echo")
        await expect(inbox(page)).to_be_hidden()
        for tab in (page, other):
            await expect(bell(tab, 2)).to_be_visible()
        await bell(other, 2).click()
        await expect(inbox(other).get_by_role("listitem").last).not_to_contain_text("Unread")
        await inbox(other).get_by_role("button", name="Mark all read").click()
        for tab in (page, other):
            await expect(bell(tab, 0)).to_be_visible()
        await page.reload()
        await heading(page, "test.echo")
        await expect(bell(page, 0)).to_be_visible()


async def test_all_notifications_are_read_page_by_page(
    console: Window, person: str, tell: Tell
) -> None:
    """What was told last month can be found again; what comes meanwhile stands above."""
    async with console(person) as page:
        await asyncio.gather(*(tell(f"Number {number}", person) for number in range(52)))
        await page.goto("/notifications")
        items = page.get_by_role("main").get_by_role("listitem")
        await expect(items).to_have_count(50)
        await tell("Number 52", person)
        await expect(items.first).to_contain_text("Number 52")
        await page.get_by_role("button", name="Show more").click()
        await expect(items).to_have_count(53)
        titles = await page.get_by_role("main").locator(".note-title").all_inner_texts()
        assert {title.split()[-1] for title in titles} == {str(number) for number in range(53)}
        await page.get_by_role("button", name="Mark Number 0 as read").click()

        await expect(bell(page, 52)).to_be_visible()
        await page.get_by_role("button", name="Mark all read").first.click()
        await expect(page.get_by_role("main")).to_contain_text("All read")


async def test_what_happened_while_a_tab_was_away_is_there_when_it_is_back(
    console: Window, person: str, tell: Tell
) -> None:
    """A lost connection is said, and costs nothing: neither a notification nor a task."""
    async with console(person, expected=("net::ERR_",)) as page:
        await page.goto("/")
        await tell("Before", person)
        await expect(bell(page, 1)).to_be_visible()
        await page.context.set_offline(True)
        away = page.get_by_text("You are offline.")
        await expect(page.get_by_text("Offline", exact=True)).to_be_visible()
        await expect(away).to_be_visible()
        task_id = await order(page, "test.echo", text="later")
        await tell("Meanwhile", person)

        await page.context.set_offline(False)

        await expect(bell(page, 2)).to_be_visible()
        await expect(away).to_be_hidden()
        await expect(page.locator(f'a[href="/tasks/{task_id}"]')).to_be_visible()


async def test_an_own_list_is_told_of_changes_and_does_not_ask_in_vain(
    console: Window, person: str
) -> None:
    """A hundred open tabs that ask every few seconds are a load; a change must show at once."""
    async with console(person) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await page.goto("/")
        await expect(page.get_by_text("Nothing on its way yet")).to_be_visible()
        await expect(page.get_by_text("Live", exact=True)).to_be_visible()
        await page.clock.install()
        asked.clear()
        await page.clock.run_for(20_000)
        assert not [url for url in asked if "/api/v1/tasks" in url]

        task_id = await order(page, "test.echo", text="now")
        row = page.get_by_role("row").filter(has=page.locator(f'a[href="/tasks/{task_id}"]'))
        await page.clock.run_for(1_000)
        await expect(row).to_contain_text("Succeeded")
