"""The own address: a link goes to it, and who brings it back reads it."""

import asyncio
import re
from collections.abc import AsyncGenerator
from email.message import EmailMessage

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import expect

from support.browser import running_chromium, window
from support.client import Client
from support.mailing import SEND, Post, posting_on
from support.servers import Servers
from support.system import ADMIN_PASSWORD
from support.waiting import wait_until

pytestmark = pytest.mark.asyncio(loop_scope="module")

ORDER = "/api/v1/mail/verification"
VERIFY = "/api/v1/mail/verify"
ME = "/api/v1/auth/me"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def post(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Post]:
    """One application and mail system for all tests here."""
    folder = tmp_path_factory.mktemp("post")
    async with posting_on(servers, folder) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def reader(post: Post, request: pytest.FixtureRequest) -> Client:
    """Somebody with an address."""
    post.sink.taken.clear()
    return await post.live.user(f"r{abs(hash(request.node.name)) % 10**9}")


def mails_to(post: Post, address: str) -> list[EmailMessage]:
    """Return what an address was sent; mails of an earlier test may still come beside them."""
    return [mail for mail in post.sink.taken if mail["To"] == address]


async def arrived(post: Post, address: str, before: int) -> EmailMessage:
    """Return the mail that comes to an address after so many."""

    async def look() -> bool:
        await post.hurry()  # a busy machine may have missed the mail system's time
        await post.live.work("email")
        return len(mails_to(post, address)) > before

    await wait_until(look, within=20, what="the mail")
    return mails_to(post, address)[-1]


async def link(post: Post, reader: Client, **headers: str) -> tuple[EmailMessage, str]:
    """Have a link sent; return the mail that came, and the token in it."""
    address = (await reader.get(ME)).json()["email"]
    before = len(mails_to(post, address))
    answer = await reader.post(ORDER, headers=headers)
    assert (answer.status_code, answer.json()) == (202, {"address": address}), answer.text
    mail = await arrived(post, address, before)
    body = mail.get_body(("plain",))
    assert body is not None
    found = re.search(r"(http\S+)/verify#token=([\w-]+)", body.get_content())
    assert found is not None, body.get_content()
    assert found[1] == post.live.url
    return mail, found[2]


async def brought_back(post: Post, token: str) -> httpx.Response:
    """Bring a token back, as a browser does in which nobody is signed in."""
    async with httpx.AsyncClient(base_url=post.live.url) as nobody:
        return await nobody.post(VERIFY, json={"token": token})


async def is_verified(reader: Client) -> bool:
    """Return what the account says."""
    verified: bool = (await reader.get(ME)).json()["email_verified"]
    return verified


async def test_whoever_brings_the_link_back_may_be_written_to(post: Post, reader: Client) -> None:
    """The proof is the mail that was read; who is signed in where does not matter."""
    before = await is_verified(reader)
    mail, token = await link(post, reader)
    order = {"to_email": mail["To"], "subject": "S", "html_content": "x"}
    refused = await reader.post(SEND, json=order)

    answer = await brought_back(post, token)

    assert (before, answer.status_code, answer.content) == (False, 204, b"")
    assert await is_verified(reader)
    assert refused.status_code == 403
    assert (await reader.post(SEND, json=order)).status_code == 202
    assert (await reader.post(ORDER)).status_code == 409


async def test_a_link_works_once(post: Post, reader: Client) -> None:
    """Also when it is brought back twice at the same time, as by a double click."""
    _, token = await link(post, reader)

    answers = await asyncio.gather(*(brought_back(post, token) for _ in range(5)))

    assert sorted(answer.status_code for answer in answers) == [204, 404, 404, 404, 404]


async def test_all_that_is_no_good_link_looks_alike(post: Post, reader: Client) -> None:
    """Used, replaced, too old or made up: nobody learns which by trying."""
    _, replaced = await link(post, reader)
    _, used = await link(post, reader)
    await brought_back(post, used)
    other = await post.live.user("other")
    _, old = await link(post, other)
    async with post.live.database.driver() as database:
        await database.execute(
            "UPDATE mail_verifications SET expires_at = now() - interval '1 second'"
        )

    answers = [await brought_back(post, token) for token in (replaced, used, old, "x", "")]

    told = [(one.status_code, one.json()["code"], one.json()["detail"]) for one in answers]
    assert told[0][:2] == (404, "not_found")
    assert len(set(told)) == 1
    assert not await is_verified(other)


async def test_another_address_is_to_be_verified_anew(post: Post, reader: Client) -> None:
    """What was shown of the old one, and a link to it, says nothing of the new one."""
    admin = await post.live.user("admin2", role="admin")
    me = (await reader.get(ME)).json()["id"]
    _, late = await link(post, reader)
    await admin.patch(f"/api/v1/users/{me}", json={"email": "new@example.org"})
    refused = await brought_back(post, late)
    _, token = await link(post, reader)
    await brought_back(post, token)
    verified = await is_verified(reader)

    same = await admin.patch(f"/api/v1/users/{me}", json={"email": "new@example.org"})
    changed = await admin.patch(f"/api/v1/users/{me}", json={"email": "newer@example.org"})

    assert (refused.status_code, verified) == (404, True)
    assert same.json()["email_verified"] is True
    assert changed.json()["email_verified"] is False


async def test_an_admin_may_know_it(post: Post, reader: Client) -> None:
    """Who keeps the addresses of a company needs no link to know them."""
    admin = await post.live.user("admin3", role="admin")
    me = f"/api/v1/users/{(await reader.get(ME)).json()['id']}"

    both = await admin.patch(me, json={"email": "hers@example.org", "email_verified": True})
    neither = await admin.patch(me, json={"email_verified": False})

    assert both.json()["email_verified"] is True
    assert neither.json()["email_verified"] is False


async def test_nobody_is_sent_more_than_a_few(post: Post, reader: Client) -> None:
    """An address that is not one's own would be flooded by it."""
    for _ in range(3):
        await link(post, reader)

    answers = await asyncio.gather(*(reader.post(ORDER) for _ in range(3)))

    assert [answer.status_code for answer in answers] == [429, 429, 429]
    assert int(answers[0].headers["Retry-After"]) > 0


async def test_it_is_said_in_the_readers_language(post: Post, reader: Client) -> None:
    """As their browser asks."""
    mail, _ = await link(post, reader, **{"Accept-Language": "ja,en;q=0.5"})

    assert mail["Subject"] == "メールアドレスの確認"


async def test_a_token_is_kept_as_its_hash_only(post: Post, reader: Client) -> None:
    """Who reads the table cannot make a link of it."""
    _, token = await link(post, reader)

    async with post.live.database.driver() as database:
        rows = await database.fetch("SELECT v::text AS row FROM mail_verifications v")

    assert rows
    assert not [row for row in rows if token in row["row"]]


async def test_only_a_click_on_the_page_of_the_link_verifies(post: Post) -> None:
    """Programs that look through mail open each link before its reader does."""
    post.sink.taken.clear()
    user_id = await post.live.add_user("clicker", password=ADMIN_PASSWORD)
    reader = await post.live.browser(user_id)
    async with running_chromium() as chromium:
        async with window(
            chromium, post.live.url, username="clicker", password=ADMIN_PASSWORD
        ) as page:
            await page.goto("/account")
            await page.get_by_role("button", name="Send a link to clicker@example.org").click()
            told = page.get_by_role("main").get_by_text("A link is on its way")
            await expect(told).to_be_visible()
        body = (await arrived(post, "clicker@example.org", 0)).get_body(("plain",))
        assert body is not None
        found = re.search(r"http\S+/verify#token=[\w-]+", body.get_content())
        assert found is not None
        async with window(chromium, post.live.url) as page:  # nobody is signed in
            await page.goto(found[0])
            button = page.get_by_role("button", name="This is my address")
            await expect(button).to_be_visible()
            opened = await is_verified(reader)
            await button.click()
            told = page.get_by_role("main").get_by_text("Your mail address is verified.")
            await expect(told).to_be_visible()
            clicked, kept = await is_verified(reader), "token" in page.url

    assert (opened, clicked, kept) == (False, True, False)
