"""The same words to many: each recipient has a state, and nobody is written to twice."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from support.client import Client
from support.mailing import SEND_BULK, Post, posting, posting_on
from support.servers import Servers
from support.smtp import LOST, RESET
from support.waiting import wait_until
from tasuki.mail.handing.repository import HandingRepository

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def post(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Post]:
    """One application and mail system for all tests here."""
    folder = tmp_path_factory.mktemp("post")
    async with posting_on(servers, folder, bulk_most=1_000, bulk_per_user_a_day=1_500) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def writer(post: Post, request: pytest.FixtureRequest) -> AsyncGenerator[Client]:
    """Somebody who may send to many, and a mail system that takes all."""
    post.sink.script.clear()
    post.sink.taken.clear()
    post.sink.hang_up()
    yield await post.writer(f"w{abs(hash(request.node.name)) % 10**9}")


def people(name: str, count: int) -> list[str]:
    """Return addresses."""
    return [f"{name}{number}@example.org" for number in range(count)]


async def order(client: Client, recipients: list[str], **more: Any) -> dict[str, Any]:
    """Order a sending."""
    answer = await client.post(
        SEND_BULK,
        json={"email_list": recipients, "subject": "News", "html_content": "<p>Hi</p>", **more},
    )
    assert answer.status_code == 202, answer.text
    accepted: dict[str, Any] = answer.json()
    return accepted


async def test_everybody_gets_it_once(post: Post, writer: Client) -> None:
    """Accepted as a whole, counted by recipient, each with a link to get no more."""
    recipients = people("all", 230)

    accepted = await order(writer, recipients)
    before = await post.batch(writer, accepted["batch_id"])
    after = await post.finished(writer, accepted["batch_id"])

    assert accepted["total"] == 230
    assert [one["email"] for one in accepted["tasks"]] == recipients
    assert len({one["task_id"] for one in accepted["tasks"]}) == 3
    assert (before["unit"], before["queued"], before["progress"]) == ("recipients", 230, 0)
    assert (after["succeeded"], after["progress"]) == (230, 1)
    assert sorted(taken["To"] for taken in post.sink.taken) == sorted(recipients)
    for taken in post.sink.taken:
        assert taken["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    task = await writer.ended(accepted["tasks"][0]["task_id"])
    assert task["result"]["sent"] == 100


async def test_a_list_with_faults_is_refused_as_a_whole(post: Post, writer: Client) -> None:
    """They are told before anybody is written to; or left out, where that was asked for."""
    recipients = ["good@example.org", "no address", "GOOD@example.org", "fine@example.org"]
    body = {"email_list": recipients, "subject": "S", "html_content": "x"}

    refused = await writer.post(SEND_BULK, json=body)
    accepted = await order(writer, recipients, skip_faulty=True)
    await post.finished(writer, accepted["batch_id"])

    assert refused.status_code == 422
    assert [error["loc"] for error in refused.json()["errors"]] == [
        ["body", "email_list", 1],
        ["body", "email_list", 2],
    ]
    assert [one["index"] for one in accepted["skipped"]] == [1, 2]
    assert sorted(taken["To"] for taken in post.sink.taken) == [
        "fine@example.org",
        "good@example.org",
    ]


async def test_each_recipient_has_the_state_that_their_answer_demands(
    post: Post, writer: Client
) -> None:
    """Deferred ones come again, wrong ones are suppressed, lost answers stay unknown."""
    recipients = people("mixed", 6)
    post.sink.script["RCPT"] = ["450 4.2.0 later", "550 5.1.1 nobody"]
    post.sink.script["dot"] = [LOST, "554 5.7.1 spam", RESET]

    accepted = await order(writer, recipients)
    batch = await post.finished(writer, accepted["batch_id"])

    states = [
        one["state"] for one in (await post.recipients(writer, accepted["batch_id"])).values()
    ]
    assert sorted(states) == ["failed", "failed", "sent", "sent", "unknown", "unknown"]
    assert (batch["succeeded"], batch["failed"]) == (2, 4)
    got = [taken["To"] for taken in post.sink.taken]
    assert len(got) == len(set(got)) == 3  # one of the two unknown ones has it
    admin = await post.live.user("a-mixed", role="admin")
    [suppression] = (await admin.get("/api/v1/mail/suppressions?starts_with=mixed")).json()[
        "items"
    ]
    assert suppression["reason"] == "rejected"


async def test_a_lost_worker_leaves_nobody_out_and_writes_to_nobody_twice(
    post: Post, writer: Client
) -> None:
    """What had not left is sent, what may have been taken stays unknown."""
    recipients = people("lost", 4)
    accepted = await order(writer, recipients)
    handing = post.live.tasuki.services.get(HandingRepository)
    held, _ = await handing.hold_many(accepted["batch_id"], 0, token=accepted["batch_id"], most=3)
    await handing.mark(held[:1])

    batch = await post.finished(writer, accepted["batch_id"])

    states = {
        address: one["state"]
        for address, one in (await post.recipients(writer, accepted["batch_id"])).items()
    }
    assert states == {
        held[0].recipient: "unknown",
        **{address: "sent" for address in recipients if address != held[0].recipient},
    }
    assert (batch["succeeded"], batch["failed"]) == (3, 1)


async def test_a_pause_holds_and_going_on_goes_on(post: Post, writer: Client) -> None:
    """Nothing leaves meanwhile, and nobody is left out."""
    accepted = await order(writer, people("pause", 30))
    path = f"/api/v1/mail/batches/{accepted['batch_id']}"

    paused = await writer.post(f"{path}/pause")
    again = await writer.post(f"{path}/pause")
    await post.live.work("email")
    waiting = await writer.in_state(accepted["tasks"][0]["task_id"], "scheduled")
    assert post.sink.taken == []
    resumed = await writer.post(f"{path}/resume")

    async def is_over() -> bool:
        await post.live.work("email")
        return (await post.batch(writer, accepted["batch_id"]))["finished_at"] is not None

    await wait_until(is_over, within=10)
    late = await writer.post(f"{path}/pause")

    assert [one.status_code for one in (paused, again, resumed, late)] == [202, 202, 202, 409]
    assert (paused.json()["is_paused"], resumed.json()["is_paused"]) == (True, False)
    assert (waiting["error"], waiting["crash_count"]) == (None, 0)
    assert len(post.sink.taken) == 30


async def test_a_cancel_stops_what_has_not_left(post: Post, writer: Client) -> None:
    """Each of them says that it was cancelled."""
    accepted = await order(writer, people("stop", 20))

    answer = await writer.post(f"/api/v1/batches/{accepted['batch_id']}/cancel")
    await post.live.work("email")

    batch = await post.batch(writer, accepted["batch_id"])
    recipients = await post.recipients(writer, accepted["batch_id"])
    assert answer.status_code == 202
    assert (batch["cancelled"], batch["progress"]) == (20, 1)
    assert {one["state"] for one in recipients.values()} == {"cancelled"}
    assert post.sink.taken == []


async def test_a_chunk_that_was_lost_for_good_does_not_look_unfinished(
    post: Post, writer: Client
) -> None:
    """Its recipients fail, and a replay of the chunk writes to them after all."""
    accepted = await order(writer, people("orphan", 5))
    task_id = accepted["tasks"][0]["task_id"]
    async with post.live.database.driver() as database:
        await database.execute(
            "UPDATE tasks SET state = 'crashed', finished_at = now() - interval '1 minute' "
            "WHERE id = $1::text::uuid",
            task_id,
        )
    admin = await post.live.user("a-orphan", role="admin")
    await admin.order("mail.cleanup")
    await post.live.work("cleanup")
    failed = await post.batch(writer, accepted["batch_id"])

    replay = await writer.post(f"/api/v1/tasks/{task_id}/replay")
    await post.live.work("email")

    batch = await post.batch(writer, accepted["batch_id"])
    assert (failed["failed"], failed["progress"]) == (5, 1)
    assert replay.status_code == 202, replay.text
    assert (batch["succeeded"], batch["failed"]) == (5, 0)
    assert len(post.sink.taken) == 5


async def test_the_list_of_those_who_want_no_more_is_kept(post: Post, writer: Client) -> None:
    """Between the order and the sending too; a click in a mail program is enough (RFC 8058)."""
    first = await order(writer, ["leaver@example.org"])
    await post.finished(writer, first["batch_id"])
    link = post.sink.taken[0]["List-Unsubscribe"].strip("<>")
    second = await order(writer, ["leaver@example.org", "stayer@example.org"])

    async with httpx.AsyncClient() as anybody:
        seen = await anybody.get(link)
        nothing = await anybody.get(link)
        one_click = {"List-Unsubscribe": "One-Click"}
        out = [await anybody.post(link, data=one_click) for _ in range(2)]
        broken = [await anybody.post(link[:-3] + end, data=one_click) for end in ("xyz", "")]
        stranger = await anybody.get(link.rpartition("/")[0] + "/" + "a" * 2_000)
    batch = await post.finished(writer, second["batch_id"])

    assert [answer.status_code for answer in (seen, nothing, *out)] == [200] * 4
    assert [answer.status_code for answer in (*broken, stranger)] == [404] * 3
    assert "leaver@example.org" in seen.text
    assert (batch["succeeded"], batch["cancelled"]) == (1, 1)
    recipients = await post.recipients(writer, second["batch_id"])
    assert recipients["leaver@example.org"]["state"] == "suppressed"
    single = await writer.post(
        "/api/v1/tasks/send-email-celery/",
        json={"to_email": "leaver@example.org", "subject": "Your order", "html_content": "x"},
    )
    await post.live.work("email")
    assert (await post.mail(writer, single.json()))["state"] == "sent"


async def test_admins_keep_the_list_by_hand(post: Post) -> None:
    """Complaints come by telephone, too."""
    admin = await post.live.user("keeper", role="admin")
    path = "/api/v1/mail/suppressions"

    added = await admin.post(path, json={"address": "Hand@example.org", "detail": "phoned"})
    found = await admin.get(f"{path}/hand@example.org")
    listed = await admin.get(f"{path}?starts_with=ha&limit=1")
    removed = [await admin.delete(f"{path}/hand@example.org") for _ in range(2)]

    assert (added.status_code, added.json()["reason"]) == (201, "by_hand")
    assert found.json() == listed.json()["items"][0] == added.json()
    assert [answer.status_code for answer in removed] == [204, 404]
    assert (await admin.post(path, json={"address": "none"})).status_code == 422


async def test_who_may_send_to_many(post: Post, writer: Client) -> None:
    """A right of its own; whose sending it is; and not without end."""
    stranger = await post.writer("one-only", "email:any")
    accepted = await order(writer, people("own", 2))
    path = f"/api/v1/mail/batches/{accepted['batch_id']}"

    refused = await stranger.post(
        SEND_BULK, json={"email_list": ["a@b.org"], "subject": "S", "html_content": "x"}
    )
    foreign = [
        await stranger.get(path),
        await stranger.get(f"{path}/recipients"),
        await stranger.post(f"{path}/pause"),
        await stranger.post(f"{path}/resume"),
    ]
    too_many = await writer.post(
        SEND_BULK, json={"email_list": people("m", 1_001), "subject": "S", "html_content": "x"}
    )

    assert refused.status_code == 403
    assert [answer.status_code for answer in foreign] == [404] * 4
    assert too_many.status_code == 422
    await post.finished(writer, accepted["batch_id"])


async def test_two_orders_at_once_share_what_a_user_may_send(writer: Client) -> None:
    """Neither counts without the other; and what was taken is found again, whatever is left."""

    async def send(key: str) -> tuple[int, str]:
        body = {"email_list": people(key, 800), "subject": "S", "html_content": "x"}
        answer = await writer.post(SEND_BULK, json=body, headers={"Idempotency-Key": key})
        return answer.status_code, key

    (taken, key), (refused, _) = sorted(await asyncio.gather(send("one"), send("two")))
    again, _ = await send(key)

    assert (taken, refused, again) == (202, 429, 200)
    [sending] = (await writer.get("/api/v1/mail/batches")).json()["items"]
    await writer.post(f"/api/v1/batches/{sending['id']}/cancel")


async def test_the_same_key_sends_it_once(post: Post, writer: Client) -> None:
    """Ten thousand mails twice is worse than one twice."""
    body = {"email_list": people("key", 3), "subject": "S", "html_content": "x"}
    headers = {"Idempotency-Key": "news-1"}

    answers = await asyncio.gather(
        *(writer.post(SEND_BULK, json=body, headers=headers) for _ in range(3))
    )
    await post.finished(writer, answers[0].json()["batch_id"])
    other = await writer.post(SEND_BULK, json={**body, "subject": "T"}, headers=headers)

    assert sorted(answer.status_code for answer in answers) == [200, 200, 202]
    assert len({answer.text for answer in answers}) == 1
    assert other.status_code == 409
    assert len(post.sink.taken) == 3


async def test_a_sending_keeps_the_pace_that_was_set(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    """In all processes together: who sends too fast is taken for a spammer."""
    async with posting(database_url, redis_url, tmp_path, bulk_per_s=20.0) as slow:
        writer = await slow.writer("slow")
        accepted = await order(writer, people("pace", 60))
        began = asyncio.get_running_loop().time()
        await slow.finished(writer, accepted["batch_id"])
        took_s = asyncio.get_running_loop().time() - began

    # The first 20 go at once, then 20 a second.
    assert took_s >= 1.9
    assert len(slow.sink.taken) == 60
