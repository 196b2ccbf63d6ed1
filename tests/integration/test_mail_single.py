"""One mail: who may order it, what becomes of it at every stage, and that it is sent once."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from support.client import Client
from support.mailing import SEND, SEND_BULK, SEND_LOCAL, Post, posting_on
from support.servers import Servers
from support.smtp import LOST, RESET, SILENT
from support.waiting import wait_until
from tasuki.mail.handing.repository import HandingRepository

pytestmark = pytest.mark.asyncio(loop_scope="module")

LATER, NEVER, NOBODY = "450 4.2.0 later", "554 5.7.1 no", "550 5.1.1 nobody"
STAGES = ("connect", "EHLO", "MAIL", "RCPT", "DATA", "dot")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def post(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Post]:
    """One application and mail system for all tests here."""
    folder = tmp_path_factory.mktemp("post")
    async with posting_on(servers, folder, timeout_s=0.5, per_user_an_hour=60) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def writer(post: Post, request: pytest.FixtureRequest) -> AsyncGenerator[Client]:
    """Somebody who may write to anybody, and a mail system that takes all."""
    post.sink.script.clear()
    post.sink.taken.clear()
    post.sink.hang_up()
    yield await post.writer(f"w{abs(hash(request.node.name)) % 10**9}")


async def order(client: Client, to: str, **more: Any) -> dict[str, Any]:
    """Order a mail for a worker."""
    answer = await client.post(
        SEND, json={"to_email": to, "subject": "Hello", "html_content": "<p>Hi</p>", **more}
    )
    assert answer.status_code == 202, answer.text
    accepted: dict[str, Any] = answer.json()
    return accepted


async def test_a_worker_sends_it(post: Post, writer: Client) -> None:
    """The guide's call: 202, a task to watch, and a mail that says what the server said."""
    accepted = await order(writer, "reader@example.org")
    queued = await post.mail(writer, accepted)

    await post.live.work("email")

    record = await post.mail(writer, accepted)
    task = await writer.task(accepted["task_id"])
    assert (accepted["status"], accepted["message"]) == ("queued", "Email task queued")
    assert (queued["state"], record["state"], task["state"]) == ("queued", "sent", "succeeded")
    assert task["result"] == {"answer": "250 2.0.0 taken"}
    [taken] = post.sink.taken
    assert (taken["Subject"], taken["To"]) == ("Hello", "reader@example.org")


async def test_the_web_process_sends_it(post: Post, writer: Client) -> None:
    """The other lane, the same function: nothing but the lane differs."""
    answer = await writer.post(
        SEND_LOCAL,
        json={"to_email": "near@example.org", "subject": "S", "content": "Plain < text"},
    )

    task = await writer.ended(answer.json()["task_id"])

    assert (task["name"], task["lane"], task["state"]) == ("mail.send", "local", "succeeded")
    [taken] = post.sink.taken
    assert taken.get_content_type() == "text/plain"
    assert taken.get_content().strip() == "Plain < text"


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("what", [LATER, NEVER, SILENT, RESET])
async def test_each_stage_leads_to_the_state_that_its_answer_demands(
    post: Post, writer: Client, stage: str, what: str
) -> None:
    """Only a "never" is final, only the silence after the last byte is unknown, and then it goes.

    What was unknown is sent again under the same Message-ID, so that a receiver can tell.
    """
    is_ours = stage in {"connect", "EHLO"}
    post.sink.script[stage] = [f"421 {what[4:]}" if stage == "connect" and what == LATER else what]
    accepted = await order(writer, f"{stage}-{what[:3]}@example.org")

    await post.live.work("email")
    first = await post.mail(writer, accepted)
    await post.hurry()
    await post.live.work("email")

    last = await post.mail(writer, accepted)
    if what == NEVER and not is_ours:
        assert (first["state"], last["state"]) == ("failed", "failed")
        assert post.sink.taken == []
    else:
        was_unknown = stage == "dot" and what in {SILENT, RESET}
        expected = "unknown" if was_unknown else "queued" if is_ours else "deferred"
        assert (first["state"], last["state"]) == (expected, "sent")
        assert len(post.sink.taken) == 1
    assert await suppressed(post) == []


async def suppressed(post: Post) -> list[str]:
    """Return the addresses that are written to no more."""
    async with post.live.database.driver() as database:
        rows = await database.fetch("SELECT address FROM mail_suppressions ORDER BY address")
    return [row["address"] for row in rows]


async def test_a_deferred_mail_is_not_tried_before_it_says_so(post: Post, writer: Client) -> None:
    """Whoever reads when it is due can rely on it, and so can greylisting."""
    post.sink.script["RCPT"] = [LATER]
    accepted = await order(writer, "grey@example.org")

    await post.live.work("email")

    record = await post.mail(writer, accepted)
    async with post.live.database.driver() as database:
        available_at = await database.fetchval(
            "SELECT available_at FROM tasks WHERE id = $1", UUID(accepted["task_id"])
        )
    await post.hurry()
    await post.live.work("email")
    assert (await post.mail(writer, accepted))["state"] == "sent"
    assert record["state"] == "deferred"
    assert available_at >= datetime.fromisoformat(record["due_at"])


@pytest.mark.parametrize(
    ("stage", "longest_min"), [("connect", 5), ("RCPT", 60)], ids=["ours", "theirs"]
)
async def test_a_long_outage_of_ours_holds_nothing_back_once_it_is_mended(
    post: Post, writer: Client, stage: str, longest_min: int
) -> None:
    """Who puts the relay right after a night sees mails leave within minutes, not in an hour."""
    accepted = await order(writer, f"after-{stage}@example.org")
    task_id = UUID(accepted["task_id"])
    async with post.live.database.driver() as database:
        await database.execute("UPDATE tasks SET attempt = 40 WHERE id = $1", task_id)
        await database.execute("UPDATE mails SET attempts = 40 WHERE task_id = $1", task_id)
    post.sink.script[stage] = ["421 busy"]

    await post.live.work("email")

    async with post.live.database.driver() as database:
        waits = await database.fetchrow(
            "SELECT t.available_at - now() AS task, m.due_at - now() AS mail "
            "FROM tasks t JOIN mails m ON m.task_id = t.id WHERE t.id = $1",
            task_id,
        )
    least, most = timedelta(minutes=longest_min / 3), timedelta(minutes=longest_min, seconds=2)
    assert least < waits["mail"] <= most
    assert waits["mail"] - timedelta(seconds=1) <= waits["task"] <= most
    await post.hurry()
    await post.live.work("email")
    assert (await post.mail(writer, accepted))["state"] == "sent"


@pytest.mark.parametrize(
    ("template", "subject", "has_html"),
    [("message", "Hello", True), ("message-ja", None, None), ("verify", None, None)],
)
async def test_a_template_puts_the_content_into_its_form(
    post: Post, writer: Client, template: str, subject: str | None, has_html: bool | None
) -> None:
    """By its name; one that is not there, or wants more than a content, is refused by name."""
    body = {"to_email": "form@example.org", "subject": "Hello", "content": "1 < 2\n\nBye"}

    answer = await writer.post(SEND_LOCAL, json={**body, "template": template})

    if subject is None:
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
        wanted = "there are" if template == "message-ja" else "verify.html, line"
        assert wanted in answer.text
        return
    await writer.ended(answer.json()["task_id"])
    [taken] = post.sink.taken
    html, text = (taken.get_body((kind,)) for kind in ("html", "plain"))
    assert taken["Subject"] == subject
    assert (html is not None) == has_html
    assert "1 &lt; 2" in str(html.get_content() if html else "")
    assert "1 < 2\n\nBye" in str(text.get_content() if text else "").replace("\r\n", "\n")


async def test_templates_are_listed_with_what_they_want(post: Post, writer: Client) -> None:
    """Who chooses one knows whether words are enough, and sees what becomes of them."""
    listed = await writer.get("/api/v1/mail/templates")
    words = {"subject": "Hello", "content": "1 < 2"}
    seen = await writer.post("/api/v1/mail/templates/message/preview", json=words)
    wants_more = await writer.post("/api/v1/mail/templates/verify/preview", json=words)

    variables = {one["name"]: one["variables"] for one in listed.json()}
    assert variables["message"] == ["content", "subject"]
    assert variables["verify"] == ["hours", "link", "name"]
    assert (seen.json()["subject"], seen.json()["text"]) == ("Hello", "1 < 2")
    assert "1 &lt; 2" in seen.json()["html"]
    assert (wants_more.status_code, wants_more.json()["code"]) == (422, "validation_failed")
    assert post.sink.taken == []


async def test_an_answer_that_was_lost_makes_at_most_a_double_with_one_name(
    post: Post, writer: Client
) -> None:
    """RFC 1047: they have it and we do not know. Sent again, it is the same message."""
    post.sink.script["dot"] = [LOST]
    accepted = await order(writer, "double@example.org")

    await post.live.work("email")
    between = await post.mail(writer, accepted)
    await post.hurry()
    await post.live.work("email")

    assert between["state"] == "unknown"
    assert (await post.mail(writer, accepted))["state"] == "sent"
    first, second = post.sink.taken
    assert first["Message-ID"] == second["Message-ID"]


async def test_an_address_that_does_not_exist_is_written_to_once(
    post: Post, writer: Client
) -> None:
    """Who writes to the dead again and again is taken for a spammer."""
    post.sink.script["RCPT"] = [NOBODY]
    first = await order(writer, "Dead@example.org")
    await post.live.work("email")
    second = await order(writer, "dead@example.org")
    await post.live.work("email")

    assert (await post.mail(writer, first))["state"] == "failed"
    assert (await post.mail(writer, second))["state"] == "suppressed"
    assert (await writer.task(second["task_id"]))["error"]["message"] == (
        "The mail is suppressed: rejected"
    )
    assert post.sink.seen["RCPT"] >= 1
    assert post.sink.taken == []
    async with post.live.database.driver() as database:
        await database.execute("DELETE FROM mail_suppressions")


async def test_a_mail_that_is_not_taken_in_time_is_given_up(post: Post, writer: Client) -> None:
    """Nobody waits for a mail of last week."""
    post.sink.script["RCPT"] = LATER
    accepted = await order(writer, "late@example.org")
    async with post.live.database.driver() as database:
        await database.execute("UPDATE mails SET give_up_at = now() WHERE state = 'queued'")

    await post.live.work("email")

    record = await post.mail(writer, accepted)
    task = await writer.task(accepted["task_id"])
    assert (record["state"], record["answer"]) == ("failed", f"given up; last: {LATER}")
    assert (task["state"], task["error"]["retryable"]) == ("failed", False)

    post.sink.script.clear()
    replayed = await writer.post(f"/api/v1/tasks/{accepted['task_id']}/replay")
    await post.live.work("email")
    assert replayed.status_code == 202, replayed.text
    assert (await post.mail(writer, accepted))["state"] == "sent"


async def test_a_late_worker_sends_nothing(post: Post, writer: Client) -> None:
    """It held the mail, was lost, and comes back after another has taken over."""
    accepted = await order(writer, "fenced@example.org")
    handing = post.live.tasuki.services.get(HandingRepository)
    first = await handing.hold(
        accepted["mail_id"], token=accepted["mail_id"], task_id=accepted["task_id"]
    )

    await post.live.work("email")

    assert not isinstance(first, str)
    assert first is not None
    assert await handing.mark([first]) == set()
    assert (await post.mail(writer, accepted))["state"] == "sent"
    assert [taken["To"] for taken in post.sink.taken] == ["fenced@example.org"]


async def test_the_same_key_orders_it_once(post: Post, writer: Client) -> None:
    """A client that lost the answer asks again; another message under the key is refused."""
    body = {"to_email": "once@example.org", "subject": "S", "html_content": "<p>1</p>"}
    headers = {"Idempotency-Key": "k1"}

    answers = await asyncio.gather(
        *(writer.post(SEND, json=body, headers=headers) for _ in range(4))
    )
    other = await writer.post(SEND, json={**body, "html_content": "<p>2</p>"}, headers=headers)
    await post.live.work("email")

    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 202]
    assert len({answer.text for answer in answers}) == 1
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")
    assert len(post.sink.taken) == 1


async def test_a_cancelled_mail_is_not_sent_and_says_so(post: Post, writer: Client) -> None:
    """At once, whether it was tried before or not; and it can be sent after all."""
    post.sink.script["RCPT"] = [LATER]
    later = await order(writer, "later@example.org")
    await post.live.work("email")
    never = await order(writer, "never@example.org")

    for accepted in (later, never):
        answer = await writer.post(f"/api/v1/tasks/{accepted['task_id']}/cancel")
        assert answer.status_code == 202

        record = await post.mail(writer, accepted)
        assert (record["state"], record["answer"]) == ("cancelled", "its task is cancelled")
        assert record["ended_at"] is not None
    await post.hurry()
    await post.live.work("email")
    assert post.sink.taken == []
    replayed = await writer.post(f"/api/v1/tasks/{never['task_id']}/replay")
    await post.live.work("email")
    assert replayed.status_code == 202, replayed.text
    assert (await post.mail(writer, never))["state"] == "sent"


async def test_a_mail_is_sent_again_once_its_address_is_written_to_again(
    post: Post, writer: Client
) -> None:
    """Else the one who was kept from it by mistake could not be sent what was lost."""
    admin = await post.live.user("keeper", role="admin")
    await admin.post("/api/v1/mail/suppressions", json={"address": "back@example.org"})
    accepted = await order(writer, "back@example.org")
    await post.live.work("email")
    suppressed = await post.mail(writer, accepted)
    await admin.delete("/api/v1/mail/suppressions/back@example.org")

    await writer.post(f"/api/v1/tasks/{accepted['task_id']}/replay")
    await post.live.work("email")

    assert suppressed["state"] == "suppressed"
    assert (await post.mail(writer, accepted))["state"] == "sent"


async def test_two_replays_at_once_send_it_once(post: Post, writer: Client) -> None:
    """What one has on its way, the other leaves alone."""
    post.sink.script["RCPT"] = [NEVER]
    accepted = await order(writer, "twice@example.org")
    await post.live.work("email")
    first = await writer.post(f"/api/v1/tasks/{accepted['task_id']}/replay")
    post.sink.recipients.clear()
    post.sink.hold_at = 0
    sending = asyncio.create_task(post.live.work("email"))
    await wait_until(lambda: is_in(post, writer, accepted, "sending"), within=5)

    second = await writer.post(f"/api/v1/tasks/{accepted['task_id']}/replay")
    await post.live.work("email")
    post.sink.go_on()
    await sending

    ended = [await writer.task(answer.json()["id"]) for answer in (first, second)]
    assert [task["state"] for task in ended] == ["succeeded", "failed"]
    assert len(post.sink.taken) == 1


async def is_in(post: Post, client: Client, accepted: dict[str, Any], state: str) -> bool:
    """Whether a mail is in a state."""
    return bool((await post.mail(client, accepted))["state"] == state)


async def test_it_is_no_open_relay(post: Post, writer: Client) -> None:
    """Without a right, to nobody else; with one, not without end, and not to one for ever."""
    stranger = await post.live.user("stranger")
    body = {"to_email": "victim@example.org", "subject": "S", "html_content": "<p>1</p>"}

    refused = await stranger.post(SEND, json=body)
    local = await stranger.post(
        SEND_LOCAL, json={"to_email": "victim@example.org", "subject": "S", "content": "x"}
    )
    by_name = await post.live.user("namer", scopes=("task:mail.send",))
    named = await by_name.post(
        "/api/v1/tasks", json={"name": "mail.send", "args": {"mail_id": str(post.live.url)}}
    )
    key = {"Idempotency-Key": "the last"}
    bombs = [await writer.post(SEND, json=body) for _ in range(19)]
    bombs += [await writer.post(SEND, json=body, headers=key)]
    bombs += [await writer.post(SEND, json=body)]
    repeated = await writer.post(SEND, json=body, headers=key)

    assert (refused.status_code, local.status_code) == (403, 403)
    assert named.status_code in {403, 422}
    assert [answer.status_code for answer in bombs] == [202] * 20 + [429]
    assert int(bombs[-1].headers["retry-after"]) > 0
    assert (repeated.status_code, repeated.json()) == (200, bombs[19].json())
    await post.live.work("email")


@pytest.mark.parametrize(
    "subject",
    ["a\r\nBcc: x@example.org", "a\nb", "=?utf-8?q?a=0D=0ABcc:_x@example.org?=", "a\u2028b"],
)
async def test_a_header_cannot_be_smuggled_in(writer: Client, subject: str) -> None:
    """Whatever it is written in, the order is refused before anything is stored."""
    answer = await writer.post(
        SEND, json={"to_email": "r@example.org", "subject": subject, "html_content": "x"}
    )

    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")


@pytest.mark.parametrize("path", [SEND, SEND_LOCAL, SEND_BULK])
async def test_words_that_no_database_keeps_are_refused(writer: Client, path: str) -> None:
    """It is the caller's to mend, and no fault of ours."""
    content = "content" if path == SEND_LOCAL else "html_content"
    to = {"email_list": ["r@example.org"]} if path == SEND_BULK else {"to_email": "r@example.org"}

    answer = await writer.post(path, json={**to, "subject": "S", content: "a\0b"})

    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert "U+0000" in answer.json()["detail"]


@pytest.mark.parametrize("to", ["", "a@b@c", "a@example.org,b@example.org", "x\r\n@example.org"])
async def test_it_goes_to_one_address(writer: Client, to: str) -> None:
    """No list, no trick."""
    answer = await writer.post(SEND, json={"to_email": to, "subject": "S", "html_content": "x"})

    assert answer.status_code == 422, answer.text


async def test_single_mails_are_found_without_reading_those_of_sendings(
    post: Post, writer: Client
) -> None:
    """Their list is the console's page, and each order counts them: beside 100,000 others."""
    await order(writer, "single@example.org")
    async with post.live.database.driver() as database:
        await database.execute(
            "INSERT INTO mails (id, owner_id, batch_id, chunk, task_id, recipient, recipient_key, "
            "if_unknown, give_up_at, state) SELECT gen_random_uuid(), owner_id, $1, 0, task_id, "
            "n::text, n::text, 'leave', now(), 'sent' FROM mails, generate_series(1, 5000) n "
            "WHERE recipient = 'single@example.org'",
            uuid4(),
        )
        await database.execute("ANALYZE mails")

    async def is_used() -> bool:
        found = await writer.get("/api/v1/mail/messages?single=true")
        assert [one["recipient"] for one in found.json()["items"]] == ["single@example.org"]
        async with post.live.database.driver() as database:
            scans = await database.fetchval(
                "SELECT sum(idx_scan) FROM pg_stat_user_indexes "
                "WHERE indexrelname LIKE 'mails_single%'"
            )
        return bool(scans)

    await wait_until(is_used, within=15, what="a look into the index")
    async with post.live.database.driver() as database:
        await database.execute("DELETE FROM mails WHERE batch_id IS NOT NULL")


async def test_whose_mail_it_is(post: Post, writer: Client) -> None:
    """Somebody else's looks like none."""
    accepted = await order(writer, "mine@example.org")
    other = await post.live.user(f"o{accepted['mail_id']}")

    foreign = await other.get(f"/api/v1/mail/messages/{accepted['mail_id']}")
    own = await writer.get("/api/v1/mail/messages?state=queued&limit=1")

    assert (foreign.status_code, foreign.json()["code"]) == (404, "not_found")
    assert [one["id"] for one in own.json()["items"]] == [accepted["mail_id"]]
    assert (await other.get("/api/v1/mail/messages")).json() == {"items": [], "next": None}
    await post.live.work("email")
