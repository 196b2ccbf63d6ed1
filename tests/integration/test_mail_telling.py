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
BATCHES = "/api/v1/batches"
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


async def test_an_export_that_is_preferred_as_a_task_is_told_of(post: Post, owner: Client) -> None:
    """The same address as the download; without a task there is nothing to tell of."""
    plain = await owner.get(f"{EXPORT}?mail_me=true")
    answer = await owner.get(f"{EXPORT}?mail_me=true", headers={"Prefer": "respond-async"})
    await post.live.work("reports")

    [(subject, text)] = await told(post)

    assert (plain.status_code, "respond-async" in plain.text) == (422, True)
    assert answer.status_code == 202, answer.text
    assert subject == "Your export is ready: tasks"
    assert f"{post.live.url}/tasks/{answer.json()['id']}" in text


async def test_a_batch_is_told_of_once_when_all_of_it_has_ended(post: Post, owner: Client) -> None:
    """One mail, not one for each; also what follows the batch has ended by then."""
    body = {
        "name": "test.fail",
        "args": [{"fatal": True}, {"fatal": True}, {"fatal": True}],
        "on_complete": {"name": "test.echo"},
        "mail_me": True,
    }
    key = {"Idempotency-Key": "all"}
    answer = await owner.post(BATCHES, json=body, headers=key)
    again = await owner.post(BATCHES, json=body, headers=key)
    without = await owner.post(BATCHES, json={**body, "mail_me": False}, headers=key)
    early = await told(post)
    await post.live.work()
    await post.live.work()

    [(subject, text)] = await told(post)

    batch_id = answer.json()["id"]
    assert (answer.status_code, again.status_code, again.json()["id"]) == (202, 200, batch_id)
    assert (without.status_code, without.json()["code"]) == (409, "idempotency_conflict")
    assert early == []
    assert subject == "Your tasks have ended, not all succeeded: test.fail"
    assert "3 × “test.fail”: 0 succeeded, 3 failed, 0 cancelled." in text
    assert f"{post.live.url}/batches/{batch_id}" in text
    follow_up = await owner.task(answer.json()["on_complete_id"])
    assert (follow_up["name"], follow_up["state"]) == ("test.echo", "succeeded")


async def test_a_batch_that_nothing_else_follows_is_told_of(post: Post, owner: Client) -> None:
    """All went well; and whoever cancels a batch is told nothing."""
    body = {"name": "test.echo", "args": [{}, {}], "mail_me": True}
    answer = await owner.post(BATCHES, json=body)
    cancelled = await owner.post(BATCHES, json=body)
    await owner.post(f"{BATCHES}/{cancelled.json()['id']}/cancel")
    await post.live.work()

    [(subject, text)] = await told(post)

    assert subject == "All of your tasks are done: test.echo"
    assert answer.json()["id"] in text


async def test_an_operator_has_a_user_told(post: Post, owner: Client) -> None:
    """What is ordered from a shell for somebody is theirs, and they may be told of it."""
    name = (await owner.get("/api/v1/auth/me")).json()["username"]
    order = ("task", "order", "test.echo", "--mail-me")
    refused = await post.live.command(*order, code=2)
    settings = {
        "TASUKI_MAIL__HOST": "127.0.0.1",
        "TASUKI_MAIL__TLS": "none",
        "TASUKI_WEB__PUBLIC_URL": "https://tasks.example.org",
    }
    task_id = (await post.live.command(*order, "--user", name, env=settings)).strip()
    await post.live.work()

    [(subject, text)] = await told(post)

    assert "--user" in refused
    assert subject == "Your task is done: test.echo"
    assert f"https://tasks.example.org/tasks/{task_id}" in text


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


@pytest.mark.parametrize("path", [REPORT, EXPORT, TASKS, BATCHES])
async def test_only_a_verified_address_is_written_to(post: Post, path: str) -> None:
    """Else a stranger's address could be filled with mail; the answer says what to do."""
    stranger = await post.live.user(f"stranger{next(numbers)}", scopes=("task:test.echo",))
    name: dict[str, Any] = {"name": "test.echo"} if path in {TASKS, BATCHES} else {}
    if path == BATCHES:
        name["args"] = [{}]

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


@pytest.mark.parametrize(("name", "about"), [("mail.tell", "task"), ("mail.tell_batch", "batch")])
async def test_nobody_has_others_told(post: Post, name: str, about: str) -> None:
    """The task that writes the mail is no way around the rights: not by name, not in a batch."""
    post.sink.taken.clear()
    args = {
        f"{about}_id": "00000000-0000-7000-8000-000000000000",
        "to": "victim@example.org",
        "template": "report_ready",
        "link_base": "https://evil.example",
        "values": {},
    }
    writer = await post.live.user(
        f"writer{next(numbers)}", scopes=(f"task:{name}", "task:test.echo")
    )
    follow_up = {"name": name, "args": args}

    answers = [
        await writer.post(TASKS, json=follow_up),
        await writer.post(
            "/api/v1/batches",
            json={"name": "test.echo", "args": [{}], "on_complete": follow_up},
        ),
    ]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert await told(post) == []
