"""Ordering, listing, cancelling and fetching tasks, as a client of the API sees it."""

import asyncio
import itertools
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import pytest_asyncio

from support.client import Client
from support.live import Live
from support.waiting import wait_until

pytestmark = pytest.mark.asyncio(loop_scope="module")

SCOPES = tuple(f"task:test.{name}" for name in ("echo", "keep", "fail", "file", "wait", "steps"))
TASKS = "/api/v1/tasks"
REPORT = "/api/v1/tasks/generate-report/"
numbers = itertools.count(1)


@pytest_asyncio.fixture(loop_scope="module")
async def user(site: Live) -> Client:
    """Somebody new, so that a test sees its own tasks only."""
    return await site.user(f"user{next(numbers)}", scopes=SCOPES)


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """Return what a client looks at of a refusal."""
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


# Ordering


async def test_an_order_is_accepted_and_says_where_to_follow_it(site: Live, user: Client) -> None:
    """202, the record, and its address in `Location`; later the result stands in it."""
    answer = await user.post(
        TASKS,
        json={
            "name": "test.echo",
            "args": {"text": "こんにちは"},
            "priority": 7,
            "tags": ["greeting"],
        },
    )
    record = answer.json()
    await site.work()
    ended = await user.get(answer.headers["location"])

    assert answer.status_code == 202
    assert answer.headers["location"] == f"{TASKS}/{record['id']}"
    assert (record["state"], record["attempt"], record["priority"]) == ("queued", 0, 7)
    assert (record["args"], record["tags"]) == ({"text": "こんにちは"}, ["greeting"])
    assert record["created_at"].endswith("Z")
    assert ended.json()["state"] == "succeeded"
    assert ended.json()["result"] == {"text": "こんにちは"}


async def test_a_delayed_order_is_scheduled(site: Live, user: Client) -> None:
    """Nobody takes it before its time."""
    record = await user.order_with("test.echo", {}, delay_s=3600, expires_s=7200)
    await site.work()

    assert (await user.task(record["id"]))["state"] == "scheduled"
    assert record["available_at"] > record["created_at"]
    assert record["expires_at"] > record["available_at"]


@pytest.mark.parametrize(
    ("path", "body", "other"),
    [
        (TASKS, {"name": "test.echo", "args": {"text": "a"}}, {"name": "test.echo"}),
        (REPORT, {"days": 7}, {"days": 8}),
    ],
)
async def test_a_repeated_key_is_the_same_order(
    user: Client, path: str, body: dict[str, Any], other: dict[str, Any]
) -> None:
    """A client that got no answer sends its order again, and nothing is done twice."""
    key = {"Idempotency-Key": "order-7"}

    first = await user.post(path, json=body, headers=key)
    again = await user.post(path, json=body, headers=key)
    conflict = await user.post(path, json=other, headers=key)
    unkeyed = await user.post(path, json=body)

    assert (first.status_code, again.status_code) == (202, 200)
    assert again.content == first.content
    assert again.headers["location"] == first.headers["location"]
    assert refusal(conflict) == (409, "idempotency_conflict")
    assert unkeyed.headers["location"] != first.headers["location"]


async def test_a_key_belongs_to_one_user(site: Live, user: Client) -> None:
    """Somebody else's key is no key of mine, and tells me nothing about theirs."""
    other = await site.user(f"user{next(numbers)}", scopes=SCOPES)
    body, key = {"name": "test.echo"}, {"Idempotency-Key": "the same"}

    answers = [await client.post(TASKS, json=body, headers=key) for client in (user, other)]

    assert [answer.status_code for answer in answers] == [202, 202]


async def test_the_same_key_at_the_same_time_is_one_order(user: Client) -> None:
    """Two tabs, or a client too impatient: the database decides who was first."""
    answers = await asyncio.gather(
        *(
            user.post(TASKS, json={"name": "test.echo"}, headers={"Idempotency-Key": "burst"})
            for _ in range(8)
        )
    )

    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [202]
    assert len({answer.json()["id"] for answer in answers}) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "\x85"])
async def test_a_bad_key_is_refused(user: Client, key: str) -> None:
    """A key nobody can store would be no key at all."""
    answer = await user.post(
        TASKS, json={"name": "test.echo"}, headers={b"Idempotency-Key": key.encode("latin-1")}
    )

    assert refusal(answer) == (422, "validation_failed")


async def test_a_unique_key_is_held_by_one_unfinished_task(site: Live, user: Client) -> None:
    """A second click finds the first still running, whoever clicked."""
    order = {"name": "test.echo", "unique_key": f"only-{next(numbers)}"}

    first = await user.post(TASKS, json=order)
    second = await user.post(TASKS, json=order)
    await site.work()
    third = await user.post(TASKS, json=order)

    assert (first.status_code, third.status_code) == (202, 202)
    assert refusal(second) == (409, "task_already_running")


@pytest.mark.parametrize(
    ("order", "where", "told"),
    [
        ({"name": "test.echo", "args": {"txt": "a"}}, ["body", "args", "txt"], "not permitted"),
        ({"name": "test.echo", "args": {"text": 7}}, ["body", "args", "text"], "string"),
        ({"name": "test.echo", "args": []}, ["body", "args"], "dict"),
        ({"name": "test.echo", "queue": "nowhere"}, ["body", "queue"], "default"),
        ({"name": "test.echo", "priority": 101}, ["body", "priority"], "100"),
        ({"name": "test.echo", "delay_s": -1}, ["body", "delay_s"], "0"),
        ({"name": "test.echo", "delay_s": 1e9}, ["body", "delay"], "366 days"),
        ({"name": "test.echo", "tags": ["x"] * 21}, ["body", "tags"], "20"),
        ({"name": "test.echo", "colour": "red"}, ["body", "colour"], "not permitted"),
        ({"args": {}}, ["body", "name"], "required"),
    ],
)
async def test_a_bad_order_says_what_and_where(
    user: Client, order: dict[str, Any], where: list[str], told: str
) -> None:
    """A form can show the fault beside its field."""
    answer = await user.post(TASKS, json=order)

    assert refusal(answer) == (422, "validation_failed")
    fault = answer.json()["errors"][0]
    assert fault["loc"] == where
    assert told in fault["msg"]


async def test_an_unknown_task_is_answered_with_those_there_are(site: Live) -> None:
    """A typing error is mended without looking into the documentation."""
    admin = await site.user(f"admin{next(numbers)}", role="admin")

    answer = await admin.post(TASKS, json={"name": "test.ecko"})

    assert refusal(answer) == (422, "validation_failed")
    assert "test.echo" in answer.json()["detail"]


# Reports


async def test_a_report_is_ordered_with_no_body_at_all(user: Client) -> None:
    """The defaults are what the guide's readers mean when they call the bare address."""
    answer = await user.post(REPORT)

    task_id = answer.json()["task_id"]
    assert answer.status_code == 202
    assert answer.json() == {"task_id": task_id, "message": "Report generation started"}
    assert answer.headers["location"] == f"{TASKS}/{task_id}"
    record = await user.task(task_id)
    me = (await user.get("/api/v1/auth/me")).json()["id"]
    assert record["args"] == {"user_id": me, "days": 30, "timezone": "UTC", "language": "en"}
    assert (record["name"], record["queue"]) == ("reports.user_activity", "reports")


async def test_a_report_can_be_asked_for_in_other_words(user: Client) -> None:
    """Every field of the body counts."""
    body = {"days": 7, "timezone": "Asia/Tokyo", "language": "ja"}

    answer = await user.post(REPORT, json=body)

    args = (await user.task(answer.json()["task_id"]))["args"]
    assert args | body == args


async def test_arguments_in_the_query_are_shown_where_they_belong(user: Client) -> None:
    """The guide had them in the query, where they end up in logs; its readers are helped."""
    answer = await user.post(f"{REPORT}?user_id=1&days=7")

    assert refusal(answer) == (422, "validation_failed")
    detail = answer.json()["detail"]
    assert "user_id, days" in detail
    assert '{"days": 30, "timezone": "UTC"}' in detail


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"days": 0}, "days"),
        ({"days": 366_000}, "days"),
        ({"days": "many"}, "days"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"language": "xx"}, "language"),
        ({"user": 7}, "user"),
    ],
)
async def test_a_bad_report_order_names_the_field(
    user: Client, body: dict[str, Any], field: str
) -> None:
    """And nothing is ordered."""
    answer = await user.post(REPORT, json=body)

    assert refusal(answer) == (422, "validation_failed")
    assert field in answer.json()["errors"][0]["loc"]


async def test_a_report_on_nobody_is_refused_to_an_admin_too(site: Live) -> None:
    """An admin learns that there is no such user; everybody else learns nothing."""
    admin = await site.user(f"admin{next(numbers)}", role="admin")

    answer = await admin.post(REPORT, json={"user_id": 999_999})

    assert refusal(answer) == (404, "user_not_found")


# Lists


async def test_pages_neither_repeat_nor_skip_while_tasks_are_added(user: Client) -> None:
    """Newest first; what is added meanwhile stands before the first page and moves nothing."""
    ordered = [await user.order("test.echo") for _ in range(7)]

    seen: list[str] = []
    cursor: str | None = None
    while True:
        params = {"limit": "3"} if cursor is None else {"limit": "3", "cursor": cursor}
        page = (await user.get(TASKS, params=params)).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
        await user.order("test.echo")

    assert seen == ordered[::-1]


async def test_the_last_page_says_so_even_when_it_is_full(user: Client) -> None:
    """Nobody is sent to an empty page."""
    for _ in range(2):
        await user.order("test.echo")

    page = (await user.get(TASKS, params={"limit": "2"})).json()

    assert (len(page["items"]), page["next"]) == (2, None)


async def test_a_list_is_filtered_by_every_field(site: Live, user: Client) -> None:
    """And by several at once."""
    done = await user.order("test.echo")
    await site.work()
    waiting = await user.order_with("test.keep", {}, queue="email", tags=["a", "b"])
    later = await user.order_with("test.echo", {}, delay_s=60, tags=["b"])

    async def ids(**params: str) -> list[str]:
        answer = await user.get(TASKS, params=params)
        return [item["id"] for item in answer.json()["items"]]

    assert await ids() == [later["id"], waiting["id"], done]
    assert await ids(state="succeeded") == [done]
    assert await ids(state="scheduled") == [later["id"]]
    assert await ids(name="test.keep") == [waiting["id"]]
    assert await ids(queue="email") == [waiting["id"]]
    assert await ids(tag="b") == [later["id"], waiting["id"]]
    assert await ids(tag="b", name="test.echo") == [later["id"]]
    assert await ids(tag="nobody's") == []
    assert await ids(batch_id=str(uuid4())) == []


# The guide's status


@pytest.mark.parametrize("has_ended", [False, True])
async def test_the_guides_status_is_told_in_celerys_words(
    site: Live, user: Client, has_ended: bool
) -> None:
    """Readers of the guide find the three fields they know, at the address they know."""
    task_id = await user.order("test.echo", text="a")
    if has_ended:
        await site.work()

    answer = await user.get(f"{TASKS}/task-status/{task_id}")

    expected: dict[str, Any] = {"task_id": task_id, "status": "PENDING", "result": None}
    if has_ended:
        expected |= {"status": "SUCCESS", "result": {"text": "a"}}
    assert answer.json() == expected


async def test_a_failure_says_what_went_wrong_in_both_words(site: Live, user: Client) -> None:
    """The cause stands in the record's error, and in the guide's result."""
    task_id = await user.order("test.fail", fatal=True)
    await site.work()

    record = await user.task(task_id)
    status = (await user.get(f"{TASKS}/task-status/{task_id}")).json()

    assert record["state"] == "failed"
    assert record["error"] | {"message": ""} == {
        "kind": "error",
        "type": "Fatal",
        "message": "",
        "retryable": False,
    }
    assert status == {"task_id": task_id, "status": "FAILURE", "result": record["error"]}


# Cancelling


async def test_what_waits_is_cancelled_at_once_and_only_once(user: Client) -> None:
    """No worker is needed; a second cancel is told that there is nothing left to cancel."""
    task_id = await user.order("test.echo")

    first = await user.post(f"{TASKS}/{task_id}/cancel")
    second = await user.post(f"{TASKS}/{task_id}/cancel")

    assert (first.status_code, first.json()["state"]) == (202, "cancelled")
    assert refusal(second) == (409, "task_finished")
    status = (await user.get(f"{TASKS}/task-status/{task_id}")).json()
    assert status["status"] == "REVOKED"


async def test_what_runs_is_asked_to_stop_and_stops_within_two_seconds(
    site: Live, user: Client
) -> None:
    """The answer says `cancelling`; the end follows by itself, and asking twice is fine."""
    task_id = await user.order("test.wait")
    async with site.working():
        await user.in_state(task_id, "running")

        first = await user.post(f"{TASKS}/{task_id}/cancel")
        second = await user.post(f"{TASKS}/{task_id}/cancel")
        ended = await user.ended(task_id, within=2)

    assert (first.status_code, first.json()["state"]) == (202, "cancelling")
    assert second.status_code in {202, 409}
    assert ended["state"] == "cancelled"


async def test_a_success_is_not_cancelled(site: Live, user: Client) -> None:
    """The record stays what it was."""
    task_id = await user.order("test.echo")
    await site.work()

    answer = await user.post(f"{TASKS}/{task_id}/cancel")

    assert refusal(answer) == (409, "task_finished")
    assert (await user.task(task_id))["state"] == "succeeded"


# Results


async def test_a_json_result_is_the_body(site: Live, user: Client) -> None:
    """What the function returned, as it was returned."""
    for data in ({"rows": 3}, [1, None], "text", None, False):
        task_id = await user.order("test.keep", data=data)
        await site.work()

        answer = await user.get(f"{TASKS}/{task_id}/result")

        assert (answer.status_code, answer.json()) == (200, data)


async def test_there_is_no_result_before_the_end(site: Live, user: Client) -> None:
    """The answer says where to wait for it."""
    task_id = await user.order("test.wait")
    early = await user.get(f"{TASKS}/{task_id}/result")
    async with site.working():
        await user.in_state(task_id, "running")
        running = await user.get(f"{TASKS}/{task_id}/result")
        await user.post(f"{TASKS}/{task_id}/cancel")

    assert refusal(early) == (409, "task_not_finished")
    assert refusal(running) == (409, "task_not_finished")
    assert f"{TASKS}/{task_id}" in running.json()["detail"]


@pytest_asyncio.fixture(loop_scope="module")
async def file_url(site: Live, user: Client) -> str:
    """Where a file of ten bytes is."""
    args = {"text": "0123456789", "name": '報告 "7".txt'}
    record = await user.order_with("test.file", args)
    await site.work()
    return f"{TASKS}/{record['id']}/result"


async def test_a_file_is_downloaded_with_its_name_and_checksum(
    user: Client, file_url: str
) -> None:
    """Any browser saves it under its true name, and no browser runs it."""
    answer = await user.get(file_url)
    record = await user.task(UUID(file_url.split("/")[-2]))

    assert answer.content == b"0123456789"
    assert answer.headers["content-length"] == "10"
    assert answer.headers["etag"] == f'"{record["artifact"]["sha256"]}"'
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-disposition"] == (
        "attachment; filename=\"__ _7_.txt\"; filename*=UTF-8''%E5%A0%B1%E5%91%8A%20%227%22.txt"
    )
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_head_tells_all_but_the_bytes(user: Client, file_url: str) -> None:
    """A download manager asks first."""
    got, told = await user.get(file_url), await user.head(file_url)

    assert (told.status_code, told.content) == (200, b"")
    for name in ("content-length", "etag", "content-type", "content-disposition"):
        assert told.headers[name] == got.headers[name]


@pytest.mark.parametrize(
    ("asked", "content", "told"),
    [
        ("bytes=2-4", b"234", "bytes 2-4/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
        ("bytes=5-99", b"56789", "bytes 5-9/10"),
    ],
)
async def test_a_broken_download_goes_on_where_it_was(
    user: Client, file_url: str, asked: str, content: bytes, told: str
) -> None:
    """One range at a time, as every client asks for (RFC 9110, 14)."""
    answer = await user.get(file_url, headers={"Range": asked})

    assert (answer.status_code, answer.content) == (206, content)
    assert answer.headers["content-range"] == told


@pytest.mark.parametrize("asked", ["rows=1-2", "bytes=a-b", "bytes", "bytes=2"])
async def test_a_range_that_is_none_is_ignored(user: Client, file_url: str, asked: str) -> None:
    """Whoever asks in units that we do not know gets the whole (RFC 9110, 14.2)."""
    answer = await user.get(file_url, headers={"Range": asked})

    assert (answer.status_code, len(answer.content)) == (200, 10)


async def test_a_range_beyond_the_end_is_refused(user: Client, file_url: str) -> None:
    """And says how long the file is."""
    answer = await user.get(file_url, headers={"Range": "bytes=10-"})

    assert answer.status_code == 416
    assert answer.headers["content-range"].endswith("*/10")


async def test_a_range_of_a_changed_file_is_the_whole_file(user: Client, file_url: str) -> None:
    """`If-Range` keeps two halves of different files from being put together."""
    etag = (await user.head(file_url)).headers["etag"]

    same = await user.get(file_url, headers={"Range": "bytes=5-", "If-Range": etag})
    changed = await user.get(file_url, headers={"Range": "bytes=5-", "If-Range": '"other"'})

    assert (same.status_code, same.content) == (206, b"56789")
    assert (changed.status_code, changed.content) == (200, b"0123456789")


async def test_an_expired_file_is_not_found(site: Live, user: Client, file_url: str) -> None:
    """Retention may win the race against a download; that is no fault of the server."""
    newest = max(site.files(), key=lambda path: path.stat().st_mtime_ns)
    newest.unlink()

    answer = await user.get(file_url)

    assert refusal(answer) == (404, "not_found")


async def test_progress_stands_in_the_record(site: Live, user: Client) -> None:
    """A page that only polls sees how far it is, too."""
    task_id = await user.order("test.steps", count=3)
    await site.work()

    async def progress() -> Any:
        return (await user.task(task_id))["progress"]

    assert await wait_until(progress, within=2) == {
        "current": 3,
        "total": 3,
        "unit": "steps",
        "message": None,
    }


async def test_a_report_on_somebody_else_cannot_be_ordered_by_name(site: Live) -> None:
    """The scope lets a user order the task, and not look into other people's activity."""
    nosy = await site.user(f"user{next(numbers)}", scopes=("task:reports.user_activity",))
    own = (await nosy.get("/api/v1/auth/me")).json()["id"]
    orders = [
        {"name": "reports.user_activity", "args": {"user_id": who}} for who in (own, own + 1)
    ]

    mine, theirs = [await nosy.post(TASKS, json=order) for order in orders]

    assert mine.status_code == 202
    assert refusal(theirs) == (403, "forbidden")
