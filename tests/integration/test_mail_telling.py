"""A mail to the owner of a task that has ended: to whom, about what, and once."""

import asyncio
import itertools
from collections.abc import AsyncGenerator
from typing import Any

import pytest
import pytest_asyncio

from support.client import Client
from support.mailing import Post, posting_on
from support.servers import Servers

pytestmark = pytest.mark.asyncio(loop_scope="module")

REPORT = "/api/v1/tasks/generate-report/"
EXPORT = "/api/v1/exports/tasks"
TASKS = "/api/v1/tasks"
JOBS = ("test.echo", "test.fail", "test.ask_wrongly")
numbers = itertools.count(1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def post(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Post]:
    """One application and mail system for all tests here."""
    folder = tmp_path_factory.mktemp("post")
    async with posting_on(servers, folder, timeout_s=20, per_user_an_hour=5) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def admin(post: Post) -> Client:
    """An admin, who knows whose address is whose."""
    return await post.live.user("admin2", role="admin")


@pytest_asyncio.fixture(loop_scope="module")
async def owner(post: Post, admin: Client) -> Client:
    """Somebody whose address is verified."""
    post.sink.taken.clear()
    username = f"owner{next(numbers)}"
    client = await post.live.user(username, scopes=tuple(f"task:{one}" for one in JOBS))
    me = (await client.get("/api/v1/auth/me")).json()["id"]
    answer = await admin.patch(f"/api/v1/users/{me}", json={"email_verified": True})
    assert answer.json()["email_verified"] is True
    return client


async def told(post: Post) -> list[tuple[str, str]]:
    """Send what is to be sent; return the subject and text of each mail that came."""
    await post.live.work("email")
    bodies = [mail.get_body(("plain",)) for mail in post.sink.taken]
    texts = [body.get_content() for body in bodies if body is not None]
    return [
        (str(mail["Subject"]), text) for mail, text in zip(post.sink.taken, texts, strict=True)
    ]


async def tell_task(owner: Client) -> dict[str, Any]:
    """Return the task that writes the mail."""
    [found] = (await owner.get(f"{TASKS}?name=mail.tell")).json()["items"]
    assert isinstance(found, dict)
    return found


async def test_a_finished_report_is_told_of_once(post: Post, owner: Client) -> None:
    """A worker that comes late, or died after it had ordered the mail, orders no second one."""
    answer = await owner.post(REPORT, json={"days": 7, "mail_me": True})
    async with post.live.database.driver() as database:  # the engine here is of the lane io
        await database.execute("UPDATE tasks SET lane = 'io' WHERE lane = 'cpu'")
    early = await told(post)
    await post.live.work("reports")
    first = await told(post)
    follow_up = await tell_task(owner)
    async with post.live.database.driver() as database:
        await database.execute(
            "UPDATE tasks SET state = 'queued', finished_at = NULL, purge_at = NULL "
            "WHERE name = 'mail.tell'"
        )

    again = await told(post)

    task_id = answer.json()["task_id"]
    assert (answer.status_code, answer.headers["Location"]) == (202, f"{TASKS}/{task_id}")
    assert (early, follow_up["state"]) == ([], "succeeded")
    [(subject, text)] = first
    assert subject == "Your report is ready"
    assert f"{post.live.url}/tasks/{task_id}" in text
    assert post.sink.taken[0]["To"] == (await owner.get("/api/v1/auth/me")).json()["email"]
    assert again == first
    assert (await tell_task(owner))["attempt"] == 2


async def test_a_finished_export_is_told_of_in_the_readers_language(
    post: Post, owner: Client
) -> None:
    """Whoever reads Japanese in the browser reads Japanese in the mail."""
    answer = await owner.post(
        EXPORT, json={"mail_me": True}, headers={"Accept-Language": "ja,en;q=0.5"}
    )
    await post.live.work("reports")

    [(subject, text)] = await told(post)

    assert answer.status_code == 202, answer.text
    assert subject == "エクスポートができました：tasks"
    assert f"{post.live.url}/tasks/{answer.json()['id']}" in text


async def test_any_task_can_be_told_of(post: Post, owner: Client) -> None:
    """One's own tasks have no template of ours; they are told of by their name."""
    ordered = await owner.order_with("test.echo", {}, mail_me=True)
    await owner.order("test.echo")
    await post.live.work()

    [(subject, text)] = await told(post)

    assert subject == "Your task is done: test.echo"
    assert ordered["id"] in text


@pytest.mark.parametrize(
    ("name", "args", "reason"),
    [
        ("test.fail", {"fatal": True}, "no use"),
        ("test.ask_wrongly", {"secret": "hunter2"}, "An inner service failed"),
    ],
)
async def test_a_failed_task_says_why(
    post: Post, owner: Client, name: str, args: dict[str, Any], reason: str
) -> None:
    """In the words of its page: what is kept from there does not travel by mail either."""
    ordered = await owner.order_with(name, args, mail_me=True)
    await post.live.work()

    [(subject, text)] = await told(post)

    assert (await owner.task(ordered["id"]))["state"] == "failed"
    assert subject == f"A task did not succeed: {name}"
    assert reason in text
    assert ordered["id"] in text
    assert "hunter2" not in text
    assert "nowhere" not in text


async def test_who_cancels_is_told_nothing(post: Post, owner: Client) -> None:
    """They know."""
    ordered = await owner.order_with("test.echo", {}, mail_me=True)
    await owner.post(f"{TASKS}/{ordered['id']}/cancel")

    mails = await told(post)

    follow_up = await tell_task(owner)
    assert mails == []
    assert (follow_up["state"], follow_up["result"]) == ("succeeded", {"mail_id": None})


@pytest.mark.parametrize("path", [REPORT, EXPORT, TASKS])
async def test_only_a_verified_address_is_written_to(post: Post, path: str) -> None:
    """Else a stranger's address could be filled with mail; the answer says what to do."""
    stranger = await post.live.user(f"stranger{next(numbers)}", scopes=("task:test.echo",))
    name = {"name": "test.echo"} if path == TASKS else {}

    answer = await stranger.post(path, json={**name, "mail_me": True})

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "validation_failed")
    assert problem["errors"][0]["loc"] == ["body", "mail_me"]
    assert "POST /api/v1/mail/verification" in problem["detail"]
    assert (await stranger.get(TASKS)).json()["items"] == []


async def test_a_repeated_order_is_one_task_and_one_mail(post: Post, owner: Client) -> None:
    """The key covers the wish: who asks for a mail is never given a task without one."""
    body = {"name": "test.echo", "mail_me": True}

    async def order(key: str, **more: Any) -> tuple[int, str]:
        answer = await owner.post(TASKS, json={**body, **more}, headers={"Idempotency-Key": key})
        return answer.status_code, answer.json().get("id", answer.json().get("code"))

    together = await asyncio.gather(*(order("a") for _ in range(5)))
    plain = await order("b", mail_me=False)
    otherwise = [await order("a", mail_me=False), await order("b")]
    await post.live.work()

    assert sorted(status for status, _ in together) == [200, 200, 200, 200, 202]
    assert len({task_id for _, task_id in together}) == 1
    assert plain[0] == 202
    assert otherwise == [(409, "idempotency_conflict")] * 2
    assert len(await told(post)) == 1


async def test_what_is_told_counts_as_written(post: Post, owner: Client) -> None:
    """Orders in a row do not fill a mailbox beyond what its owner may write."""
    for _ in range(5):
        await owner.order_with("test.echo", {}, mail_me=True)
    await post.live.work()
    await told(post)

    answer = await owner.post(TASKS, json={"name": "test.echo", "mail_me": True})

    assert (answer.status_code, len(post.sink.taken)) == (429, 5)


async def test_nobody_has_others_told(post: Post) -> None:
    """The task that writes the mail is no way around the rights: not by name, not in a batch."""
    post.sink.taken.clear()
    args = {
        "task_id": "00000000-0000-7000-8000-000000000000",
        "to": "victim@example.org",
        "template": "report_ready",
        "link_base": "https://evil.example",
        "values": {},
    }
    writer = await post.live.user(
        f"writer{next(numbers)}", scopes=("task:mail.tell", "task:test.echo")
    )
    follow_up = {"name": "mail.tell", "args": args}

    answers = [
        await writer.post(TASKS, json=follow_up),
        await writer.post(
            "/api/v1/batches",
            json={"name": "test.echo", "args": [{}], "on_complete": follow_up},
        ),
    ]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert await told(post) == []
