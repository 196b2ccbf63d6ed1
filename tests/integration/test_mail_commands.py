"""`tasuki mail` beside a running system: what an operator types, and what comes of it."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from support.mailing import SEND_BULK, Post, posting_on
from support.servers import Servers

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOBODY = "550 5.1.1 nobody"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def post(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Post]:
    """One application and mail system for all tests here."""
    folder = tmp_path_factory.mktemp("post")
    async with posting_on(servers, folder) as running:
        yield running


async def typed(post: Post, *words: str, code: int = 0, stdin: str | None = None) -> str:
    """Type `tasuki mail …`, with the same settings as the system; return what is printed."""
    return await post.live.command("mail", *words, code=code, stdin=stdin, env=environment(post))


def environment(post: Post) -> Mapping[str, str]:
    """Return where mails go to."""
    return {
        "TASUKI_MAIL__HOST": "127.0.0.1",
        "TASUKI_MAIL__PORT": str(post.sink.port),
        "TASUKI_MAIL__TLS": "none",
    }


async def watched(post: Post, *words: str, code: int) -> str:
    """Type a command that waits, beside a worker."""
    typing = asyncio.create_task(typed(post, "send", *words, "--wait", code=code))
    while not typing.done():
        await post.live.work("email")
    return await typing


async def shown(post: Post, *words: str) -> dict[str, Any]:
    """Return what `status` says as JSON."""
    record: dict[str, Any] = json.loads(await typed(post, "status", *words, "--json"))
    return record


async def test_a_mail_is_ordered_and_its_id_printed(post: Post, tmp_path: Path) -> None:
    """The id stands alone on its line; the words come from where they are."""
    page = tmp_path / "page.html"
    page.write_text("<p>Caf\u00e9</p>", encoding="utf-8")
    ways = {
        "option@example.org": ("--text", "It is done."),
        "file@example.org": ("--html", str(page)),
        "pipe@example.org": (),
        "form@example.org": ("--template", "message", "--text", "A & B"),
    }

    ids = [
        (await typed(post, "send", to, "-s", "Hello", *words, stdin="From a pipe\n")).strip()
        for to, words in ways.items()
    ]
    queued = [await shown(post, mail_id) for mail_id in ids]
    await post.live.work("email")

    assert [str(UUID(mail_id)) for mail_id in ids] == ids
    assert [(one["recipient"], one["state"]) for one in queued] == [(to, "queued") for to in ways]
    taken = {message["To"]: message for message in post.sink.taken}
    texts = {to: taken[to].get_body(("plain",)) for to in ways}
    said = [str(part.get_content()).strip() if part else "" for part in texts.values()]
    assert said[:3] == ["It is done.", "Caf\u00e9", "From a pipe"]
    assert "A & B" in said[3]
    html = taken["form@example.org"].get_body(("html",))
    assert html is not None
    assert "A &amp; B" in html.get_content()
    assert (await shown(post, ids[0]))["answer"] == "250 2.0.0 taken"


async def test_who_waits_learns_what_became_of_it(post: Post) -> None:
    """A script goes on only if it was sent."""
    sent = await watched(post, "here@example.org", "-s", "S", "--text", "T", code=0)
    post.sink.script["RCPT"] = [NOBODY]
    failed = await watched(post, "gone@example.org", "-s", "S", "--text", "T", code=1)
    suppressed = await watched(post, "Gone@example.org", "-s", "S", "--text", "T", code=1)

    assert "sent: 250 2.0.0 taken" in sent
    assert f"failed: {NOBODY}" in failed
    assert "suppressed: rejected" in suppressed
    assert "rejected" in await typed(post, "suppressions", "list", "--starts-with", "gone")


async def test_what_is_no_order_is_refused_in_words(post: Post, tmp_path: Path) -> None:
    """Nothing is ordered by half."""
    before = (await shown(post))["counts"]
    subject = ("-s", "Hello")

    both = await typed(
        post, "send", "a@example.org", *subject, "--html", str(tmp_path), "--template", "x", code=2
    )
    for words in (
        ("nobody", *subject, "--text", "T"),
        ("a@example.org", "-s", "Two\nlines", "--text", "T"),
        ("a@example.org", *subject, "--text", "T", "--template", "none-such"),
        ("a@example.org", *subject, "--html", str(tmp_path / "none.html")),
    ):
        await typed(post, "send", *words, code=1)
    await typed(post, "status", "00000000-0000-7000-8000-000000000000", code=1)

    assert "--template puts a text into a form" in " ".join(both.split())
    assert (await shown(post))["counts"] == before


async def test_an_operator_sees_how_mail_is(post: Post) -> None:
    """Numbers first, then the newest, then sendings and how far they are."""
    writer = await post.writer()
    answer = await writer.post(
        SEND_BULK,
        json={
            "email_list": [f"m{number}@example.org" for number in range(3)],
            "subject": "[news]",
            "html_content": "<p>Hi</p>",
        },
    )
    assert answer.status_code == 202, answer.text
    waiting = await typed(post, "status")
    await post.finished(writer, answer.json()["batch_id"])

    whole = await shown(post, "--limit", "2")
    over = await typed(post, "status")

    assert "3 queued" in waiting
    assert whole["counts"]["sent"] >= 3
    assert len(whole["mails"]) == 2
    [sending] = whole["sendings"]
    assert (sending["batch"]["succeeded"], sending["batch"]["total"]) == (3, 3)
    assert f"{sending['id']} [news]" in over
    assert "3/3" in over


async def test_suppressions_are_kept_by_hand(post: Post) -> None:
    """Somebody telephones and wants no more mail, and a year later again."""
    address = "hana+books@example.org"

    added = await typed(post, "suppressions", "add", address, "--detail", "[by] phone")
    again = await typed(post, "suppressions", "add", address.upper().replace("EXAMPLE", "example"))
    table = await typed(post, "suppressions", "list")
    lines = await typed(post, "suppressions", "list", "--starts-with", "hana", "--json")
    removed = await typed(post, "suppressions", "remove", address)
    await typed(post, "suppressions", "remove", address, code=1)
    await typed(post, "suppressions", "add", "no address", code=1)

    assert added == again == f"{address} is written to no more (by_hand).\n"
    assert "[by] phone" in table
    assert (json.loads(lines)["address"], json.loads(lines)["detail"]) == (address, "[by] phone")
    assert removed == f"{address} is written to again.\n"
    assert await typed(post, "suppressions", "list", "--starts-with", "hana", "--json") == ""
