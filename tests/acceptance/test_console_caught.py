"""The inbox of development in the browser: a mail is sent by the system and read by an admin."""

import asyncio
import re
import smtplib
from collections.abc import AsyncGenerator
from email.message import EmailMessage

import pytest
import pytest_asyncio
import redis.asyncio as redis
from playwright.async_api import Browser, expect

from support.browser import window
from support.client import Client
from support.console import heading
from support.servers import Servers, free_port
from support.system import ADMIN_PASSWORD, System

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]

HOSTILE = (
    "<p style='color: rgb(1, 2, 3)'>Dear reader</p>"
    "<script>parent.document.title = document.title = 'owned'</script>"
    "<img src='http://127.0.0.1:PORT/seen.png' onerror=\"document.body.append('owned')\">"
    "<a href='/api/v1/auth/me'>who am I</a>"
)
EXPECTED = ("Blocked script execution", "violates the following Content Security Policy")
"""Chromium says of the mail's own frame what it did not do."""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def catching_house(
    browser: Browser, servers: Servers, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[System]:
    """A web process whose mail is caught; it sends mails itself, in the lane local."""
    del browser
    database_url = await servers.create_database()
    async with redis.Redis.from_url(servers.redis_url) as client:
        await client.flushall()
    port = free_port()
    env = {
        "TASUKI_MAIL__HOST": "127.0.0.1",
        "TASUKI_MAIL__PORT": str(port),
        "TASUKI_MAIL__TLS": "none",
        "TASUKI_MAIL__CAUGHT": "true",
    }
    folder = tmp_path_factory.mktemp("caught")
    with System(folder, database_url, servers.redis_url, env) as system:
        await asyncio.to_thread(system.web)
        await asyncio.to_thread(system.mail, port)
        yield system
    await servers.drop_database(database_url)


async def test_a_mail_of_the_system_appears_by_itself(
    browser: Browser, catching_house: System
) -> None:
    """Who tries a mail sees what would have been sent, and that nobody got it."""
    opening = window(browser, catching_house.url, username="admin", password=ADMIN_PASSWORD)
    async with opening as page, Client(base_url=catching_house.url, timeout=20) as client:
        await page.goto("/")
        await page.get_by_role("link", name="Caught mails").click()
        await heading(page, "Caught mails")
        await expect(page.get_by_text("No mail yet")).to_be_visible()
        await expect(page.get_by_role("main")).to_contain_text("These mails were not delivered")

        await client.sign_in()
        order = {"to_email": "reader@example.org", "subject": "Hello <b>you</b>"}
        sent = await client.post("/api/v1/tasks/send-email/", json={**order, "content": "Plain."})
        assert sent.status_code == 202, sent.text
        row = page.get_by_role("row").filter(has_text="reader@example.org")
        await row.get_by_role("link", name="Hello <b>you</b>").click()

        await heading(page, "Hello <b>you</b>")
        await expect(page.get_by_role("region", name="Text")).to_contain_text("Plain.")
        async with page.expect_download() as downloading:
            await page.get_by_role("link", name="As it came").click()
        assert (await downloading.value).suggested_filename.endswith(".eml")
        await page.get_by_role("main").get_by_role("link", name="Caught mails").click()
        await page.get_by_role("button", name="Delete all").click()
        await page.get_by_role("dialog").get_by_role("button", name="Delete all").click()
        await expect(page.get_by_text("No mail yet")).to_be_visible()


async def test_a_mail_runs_nothing_and_fetches_nothing(
    browser: Browser, catching_house: System
) -> None:
    """A stranger wrote it: it may look as it likes, but neither acts nor tells that it is read."""
    callers: list[str] = []

    async def outside(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        callers.append("somebody")
        writer.close()

    server = await asyncio.start_server(outside, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    opening = window(
        browser, catching_house.url, username="admin", password=ADMIN_PASSWORD, expected=EXPECTED
    )
    async with server, opening as page:
        await send_hostile(catching_house, port)
        await page.goto("/mail/inbox")
        await page.get_by_role("link", name="hostile").click()
        await heading(page, "hostile")

        frame = page.frame_locator("iframe")
        await expect(frame.get_by_text("Dear reader")).to_have_css("color", "rgb(1, 2, 3)")
        await expect(frame.locator("body")).not_to_contain_text("owned")
        await expect(page).to_have_title(re.compile("A caught mail"))
        assert await page.frames[1].evaluate("window.origin") == "null"
    assert callers == []


async def send_hostile(house: System, port: int = 9) -> None:
    """Give the inbox a mail as a stranger would write it, with a picture of a server of theirs."""
    message = EmailMessage()
    message["From"], message["To"] = "a@example.org", "b@example.org"
    message["Subject"] = "hostile"
    message.set_content("Dear reader")
    message.add_alternative(HOSTILE.replace("PORT", str(port)), subtype="html")

    def talk() -> None:
        with smtplib.SMTP("127.0.0.1", int(house.env["TASUKI_MAIL__PORT"]), timeout=10) as client:
            client.send_message(message)

    await asyncio.to_thread(talk)


@pytest.mark.parametrize(("width", "dark"), [(390, False), (1280, True)])
async def test_the_inbox_fits_a_phone_and_the_night(
    browser: Browser, catching_house: System, *, width: int, dark: bool
) -> None:
    """Long addresses and subjects come from strangers, and must not push the page aside."""
    await send_hostile(catching_house)
    opening = window(
        browser,
        catching_house.url,
        username="admin",
        password=ADMIN_PASSWORD,
        width=width,
        dark=dark,
        expected=EXPECTED,
    )
    async with opening as page:
        await page.goto("/mail/inbox")
        link = page.get_by_role("link", name="hostile").first
        await expect(link).to_be_visible()
        for _ in range(2):
            overflow = (
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert await page.evaluate(overflow) <= 0
            if "/mail/inbox/" not in page.url:
                await link.click()
                await heading(page, "hostile")
