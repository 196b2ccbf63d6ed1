"""The inbox of development: mail goes in by SMTP and is read over HTTP, by admins alone."""

import asyncio
import smtplib
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

import pytest
import pytest_asyncio
import redis.asyncio as redis

from support.client import Client
from support.live import Live, live_settings, running_live
from support.servers import Servers
from support.waiting import wait_until
from tasuki.core.database import Database
from tasuki.mail.catching.server import (
    MOST_BYTES,
    MOST_CONNECTIONS,
    MOST_RECIPIENTS,
    catching,
)
from tasuki.mail.catching.service import Catcher
from tasuki.mail.settings import MailSettings

pytestmark = pytest.mark.asyncio(loop_scope="module")

CAUGHT = "/api/v1/mail/caught"
HOSTILE = (
    "<script>parent.document.title = 'owned'</script><img src='https://outside.test/seen.png'>"
)


@dataclass
class Place:
    """A system whose mail is caught."""

    live: Live
    port: int
    admin: Client

    async def send(self, message: EmailMessage | bytes, *to: str) -> None:
        """Give it a message as Python's own client does."""
        content = message if isinstance(message, bytes) else message.as_bytes(policy=SMTP)
        recipients = list(to) or ["you@example.org"]

        def talk() -> None:
            with smtplib.SMTP("127.0.0.1", self.port, timeout=10) as client:
                client.sendmail("me@example.org", recipients, content)

        await asyncio.to_thread(talk)

    async def newest(self) -> dict[str, Any]:
        """Return the newest mail, whole."""
        [item, *_] = (await self.admin.get(CAUGHT)).json()["items"]
        whole: dict[str, Any] = (await self.admin.get(f"{CAUGHT}/{item['id']}")).json()
        return whole


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def place(
    servers: Servers, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Place]:
    """One for all tests of this module."""
    url = await servers.create_database()
    async with redis.Redis.from_url(servers.redis_url) as client:
        await client.flushall()
    database = Database(url, pool_size=2, name="catching")
    async with AsyncExitStack() as stack:
        stack.push_async_callback(servers.drop_database, url)
        stack.push_async_callback(database.close)
        port = await stack.enter_async_context(catching(Catcher(database, most=5)))
        settings = live_settings(url, servers.redis_url, tmp_path_factory.mktemp("caught"))
        mail = MailSettings(host="127.0.0.1", port=port, tls="none", caught=True)
        live = await stack.enter_async_context(
            running_live(settings.model_copy(update={"mail": mail}))
        )
        yield Place(live, port, await live.user("postmaster", role="admin"))


def letter(subject: str, text: str = "Hello.\n", html: str | None = None) -> EmailMessage:
    """Return a message."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = (
        "me@example.org",
        "you@example.org",
        subject,
    )
    message.set_content(text)
    if html is not None:
        message.add_alternative(html, subtype="html")
    return message


async def test_a_mail_is_shown_as_it_was_sent(place: Place) -> None:
    """Somebody who writes a template sees its words, its HTML, its files, and every byte."""
    message = letter("襷 をつなぐ 🎽", "Plain ünd simple.\n", "<p style='color:teal'>Rich</p>")
    message.add_attachment(b"%PDF-", maintype="application", subtype="pdf", filename="帳票.pdf")

    await place.send(message, "you@example.org", "and@example.org")

    mail = await place.newest()
    raw = await place.admin.get(f"{CAUGHT}/{mail['id']}/raw")
    assert (mail["sender"], mail["recipients"]) == (
        "me@example.org",
        ["you@example.org", "and@example.org"],
    )
    assert (mail["subject"], mail["text"]) == ("襷 をつなぐ 🎽", "Plain ünd simple.\n")
    assert "teal" in mail["html"]
    assert mail["attachments"] == [
        {"name": "帳票.pdf", "media_type": "application/pdf", "size_bytes": 5}
    ]
    assert {"name": "To", "value": "you@example.org"} in mail["headers"]
    assert raw.headers["content-type"] == "message/rfc822"
    assert raw.headers["content-disposition"].startswith("attachment;")
    assert raw.content == message.as_bytes(policy=SMTP)
    assert mail["size_bytes"] == len(raw.content)


async def test_html_of_a_mail_is_answered_only_for_a_frame_that_can_do_nothing(
    place: Place,
) -> None:
    """A stranger wrote it: as a page of our origin it would act as the admin who reads it."""
    await place.send(letter("hostile", html=HOSTILE))

    mail = await place.newest()
    page = await place.admin.get(f"{CAUGHT}/{mail['id']}/html")

    policy = page.headers["content-security-policy"].split("; ")
    assert policy[0].split() == ["sandbox", "allow-popups", "allow-popups-to-escape-sandbox"]
    assert "default-src 'none'" in policy
    assert page.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\xff\xfe",
        b"Subject: =?utf-8?b?////?=\r\n\r\nx",
        b"Subject: a\x00b\r\nSubject: second\r\n\r\nx",
        b'To: "<@\r\nDate: never\r\nMessage-ID: <\r\nContent-Type: ;;;\r\n\r\nx',
        b"Content-Type: text/html; charset=klingon\r\n\r\n<p>\xff",
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\nno boundary",
        b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!",
        b"Content-Type: message/rfc822\r\n\r\n",
        b"Content-Disposition: attachment; filename*=utf-8''%ff%00\r\n\r\nx",
    ],
)
async def test_a_broken_mail_is_kept_and_shown(place: Place, content: bytes) -> None:
    """Who debugs a broken mail needs to see it; a page that fails on it would hide it."""
    await place.send(content)

    mail = await place.newest()

    answer = await place.admin.get(f"{CAUGHT}/{mail['id']}/html")
    assert answer.status_code == 200
    assert mail["size_bytes"] in {len(content), len(content) + 2}


async def test_only_the_newest_are_kept_and_found_by_recipient(place: Place) -> None:
    """It is for looking into, and must not fill a developer's disk."""
    assert (await place.admin.delete(CAUGHT)).status_code == 204
    assert (await place.admin.get(CAUGHT)).json() == {"items": [], "next": None}
    for number in range(7):
        await place.send(letter(f"number {number}"), f"Who{number}_@example.org")

    first = (await place.admin.get(CAUGHT, params={"limit": 3})).json()
    rest = (await place.admin.get(CAUGHT, params={"cursor": first["next"]})).json()
    found = (await place.admin.get(CAUGHT, params={"recipient": "who4_@"})).json()

    subjects = [one["subject"] for one in first["items"] + rest["items"]]
    assert subjects == [f"number {number}" for number in (6, 5, 4, 3, 2)]
    assert rest["next"] is None
    assert [one["subject"] for one in found["items"]] == ["number 4"]


async def test_reading_the_mail_of_others_is_written_down(place: Place) -> None:
    """An admin reads what was meant for somebody else, links that sign in included."""
    await place.send(letter("private"))

    mail = await place.newest()

    async with place.live.database.driver() as connection:
        noted = await connection.fetchval(
            "SELECT count(*) FROM activity WHERE data::text LIKE $1", f"%mail:{mail['id']}%"
        )
    assert noted == 1


async def test_what_one_client_can_use_up_is_bounded(place: Place) -> None:
    """Anybody on the machine can connect; the developer's memory and disk are not theirs."""
    with pytest.raises(smtplib.SMTPSenderRefused, match="552"):
        await place.send(b"x" * 70 + b"\r\n" + b"y" * MOST_BYTES)
    many = [f"u{number}@example.org" for number in range(MOST_RECIPIENTS + 1)]
    await place.send(letter("many"), *many)
    assert (await place.newest())["recipients"] == many[:MOST_RECIPIENTS]

    open_ones: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    try:
        while len(open_ones) < MOST_CONNECTIONS:
            open_ones.append(await asyncio.open_connection("127.0.0.1", place.port))
            assert (await open_ones[-1][0].readline()).startswith(b"220")
        reader, writer = await asyncio.open_connection("127.0.0.1", place.port)
        assert (await reader.readline()).startswith(b"421")
        assert await reader.read() == b""
        writer.close()
    finally:
        for _, writer in open_ones:
            writer.close()

    async def takes_again() -> bool:
        reader, writer = await asyncio.open_connection("127.0.0.1", place.port)
        greeting = await reader.readline()
        writer.close()
        return greeting.startswith(b"220")

    await wait_until(takes_again, within=5)


async def test_without_its_database_it_says_later_and_loses_nothing() -> None:
    """A sender that hears 451 comes back; one that heard 250 would not."""
    nowhere = Database("postgresql://nobody:x@127.0.0.1:1/none", pool_size=1, name="nowhere")
    try:
        async with catching(Catcher(nowhere)) as port:

            def talk() -> None:
                with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
                    client.sendmail("a@example.org", ["b@example.org"], b"Subject: x\r\n\r\nx")

            with pytest.raises(smtplib.SMTPDataError, match="451"):
                await asyncio.to_thread(talk)
    finally:
        await nowhere.close()


async def test_where_mail_is_delivered_there_is_no_inbox(site: Live) -> None:
    """In production the pages of a development inbox are not there, also for admins."""
    admin = await site.user("postmaster", role="admin")

    answers = [
        await admin.get(CAUGHT),
        await admin.get(f"{CAUGHT}/00000000-0000-7000-8000-000000000000"),
        await admin.delete(CAUGHT),
    ]

    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert "TASUKI_MAIL__HOST" in answers[0].json()["detail"]
    assert (await admin.get("/api/v1/mail/system")).json() == {
        "configured": True,
        "caught": False,
    }
