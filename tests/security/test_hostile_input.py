"""Whatever is sent, the answer is a problem that says what is wrong, and never a 5xx."""

import json
from collections.abc import AsyncGenerator

import httpx
import pytest
import pytest_asyncio

from support.client import Client
from support.live import BODY_LIMIT, Live

JSON = {"Content-Type": "application/json"}


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def admin(site: Live) -> Client:
    return await site.user("root", role="admin")


def code_of(answer: httpx.Response, status: int) -> str:
    """Return the code of a problem, once it is sure to be one."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["error_id"]
    return str(problem["code"])


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="broken"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'"text"', id="a text"),
        pytest.param(b'{"username": "\xff"}', id="not UTF-8"),
        pytest.param('{"username": "a"}'.encode("utf-16"), id="UTF-16"),
        pytest.param(b"\xef\xbb\xbf{}", id="byte order mark"),
        pytest.param(b"[" * 1_500 + b"]" * 1_500, id="1500 levels"),
        pytest.param(b'{"a":' * 9_000 + b"1" + b"}" * 9_000, id="9000 levels"),
        pytest.param(b'{"username": ' + b"9" * 5_000 + b"}", id="a number of 5000 digits"),
        pytest.param(b'{"username": NaN, "password": Infinity}', id="not a number"),
        pytest.param(b'{"username": "\\ud800", "password": "\\udfff"}', id="half characters"),
        pytest.param(b'{"\\ud800": 1}', id="a name of half a character"),
    ],
)
async def test_a_strange_body_is_refused_politely(site: Live, body: bytes) -> None:
    """Nobody has to be signed in to send one, so anybody could fill the logs with faults."""
    stranger = await site.client()

    answer = await stranger.post("/api/v1/auth/login", content=body, headers=JSON)

    assert code_of(answer, 422) == "validation_failed"


@pytest.mark.parametrize(
    "args",
    [
        pytest.param('{"data": NaN}', id="not a number"),
        pytest.param('{"data": [1e999]}', id="infinity"),
        pytest.param('{"data": ' + "[" * 300 + "]" * 300 + "}", id="300 levels"),
        pytest.param('{"data": ' + "[" * 900 + "]" * 900 + "}", id="900 levels"),
        pytest.param('{"\\ud800": 1}', id="a name of half a character"),
        pytest.param('{"data": "\\ud800"}', id="half a character"),
        pytest.param('{"\\u0000": 1}', id="a name of nothing"),
    ],
)
async def test_strange_arguments_are_refused_or_kept(admin: Client, args: str) -> None:
    """What JSON cannot hold, or the database not, is said before the order is taken."""
    body = f'{{"name": "test.keep", "args": {args}}}'

    answer = await admin.post("/api/v1/tasks", content=body, headers=JSON)

    if answer.status_code != 202:
        assert code_of(answer, 422) == "validation_failed"


async def test_a_character_that_no_database_keeps_is_replaced(site: Live, admin: Client) -> None:
    """A strange text is no reason to lose the work it describes."""
    body = '{"name": "test.keep", "args": {"data": {"a\\u0000b": "\\u0000"}}}'

    answer = await admin.post("/api/v1/tasks", content=body, headers=JSON)
    await site.work()

    assert answer.status_code == 202, answer.text
    record = await admin.task(answer.json()["id"])
    assert record["result"] == {"a\ufffdb": "\ufffd"}


@pytest.mark.parametrize(
    "query",
    [
        "name=%00",
        "tag=%00",
        "queue=%00",
        "name=%ff",
        "state=nonsense",
        "batch_id=nonsense",
        "limit=0",
        "limit=201",
        "limit=99999999999999999999999",
        "cursor=nonsense",
        "cursor=%00",
        "cursor=AA",
        "cursor=" + "A" * 200,
        "cursor=" + "A" * 201,
        "cursor=%F0%9F%A6%8A",
    ],
)
async def test_a_strange_query_is_answered(admin: Client, query: str) -> None:
    """A filter goes into SQL, and PostgreSQL refuses texts that Python takes."""
    answer = await admin.get(f"/api/v1/tasks?{query}")

    if answer.status_code != 200:
        assert code_of(answer, 422) == "validation_failed"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v1/tasks/generate-report/", {"user_id": 10**30}),
        ("/api/v1/tasks/generate-report/", {"user_id": -1}),
        ("/api/v1/tasks/generate-report/", {"days": 10**30}),
        ("/api/v1/tasks/generate-report/", {"timezone": "../../../etc/passwd"}),
        ("/api/v1/tasks/generate-report/", {"timezone": "\0"}),
        ("/api/v1/tasks", {"name": "\0"}),
        ("/api/v1/tasks", {"name": "test.keep", "queue": "\0"}),
        ("/api/v1/tasks", {"name": "test.keep", "tags": ["\0"]}),
        ("/api/v1/tasks", {"name": "test.keep", "unique_key": "\0"}),
        ("/api/v1/tasks", {"name": "test.keep", "delay_s": 1e300}),
        ("/api/v1/tasks", {"name": "test.keep", "priority": 10**30}),
        ("/api/v1/activity", {"kind": "\0"}),
        ("/api/v1/activity", {"kind": "x", "at": "9999-12-31T23:59:59-23:59"}),
        ("/api/v1/activity", {"kind": "x", "at": 1e300}),
        ("/api/v1/auth/tokens", {"name": "\0"}),
        ("/api/v1/users", {"username": "a", "email": "a@b", "scopes": ["\0"]}),
        ("/api/v1/mail/suppressions", {"address": "a@example.org", "detail": "\0"}),
    ],
)
async def test_a_strange_value_is_refused(
    admin: Client, path: str, body: dict[str, object]
) -> None:
    """A number that no column holds, or a path for a time zone, is bad input and no fault."""
    answer = await admin.post(path, json=body)

    assert answer.status_code in {404, 422}, answer.text
    code_of(answer, answer.status_code)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/tasks/nonsense",
        "/api/v1/tasks/%00",
        "/api/v1/tasks/00000000-0000-0000-0000-00000000000g",
        "/api/v1/users/0",
        "/api/v1/users/99999999999999999999",
        "/api/v1/users/1e3",
        "/api/v1/mail/suppressions/%00",
        "/api/v1/mail/suppressions?starts_with=%00",
        "/api/v1/nowhere",
        "/api/v2",
        "/ui/../../pyproject.toml",
        "/ui/%2e%2e/console.py",
        "/ui/nowhere.js",
        "/ui/%00",
        "/%ff",
        "/" + "a" * 5_000,
    ],
)
async def test_a_strange_path_is_not_found(admin: Client, path: str) -> None:
    """Also the console's files are asked for by name, and only they are there."""
    answer = await admin.get(path)

    assert answer.status_code in {404, 422}, answer.text
    code_of(answer, answer.status_code)


@pytest.mark.parametrize(
    "origin", ["http://[", "null", "", "http://", "javascript:1", "http://a:b@c", "\u00ff"]
)
async def test_a_strange_origin_is_another_site(site: Live, origin: str) -> None:
    """A header that no browser writes gets the answer of a foreign page, not a fault."""
    stranger = await site.client()

    answer = await stranger.post(
        "/api/v1/auth/login", json={}, headers={b"Origin": origin.encode("latin-1")}
    )

    assert code_of(answer, 403) == "forbidden"


@pytest.mark.parametrize(
    "last_event_id",
    [
        "",
        "0",
        ".",
        "1.",
        ".1",
        "x.99999999999999999999999999",
        "x.-1",
        "x.1e3",
        "x.\u00b2",  # a digit to Python, not to int()
        "x" * 10_000 + ".1",
        "'; DROP TABLE tasks; --.1",
        "{epoch}.99999999999999999999999999",
        "{epoch}.-1",
        "{epoch}.1.1",
        "{epoch}. 1",
    ],
)
async def test_a_strange_last_event_id_begins_with_the_snapshot(
    site: Live, admin: Client, last_event_id: str
) -> None:
    """Whoever connects may send anything there; it is no position, so the stream begins anew."""
    task_id = await admin.order("test.echo")
    await site.work()
    async with admin.stream("GET", f"/api/v1/tasks/{task_id}/events") as answer:
        epoch = (await answer.aread()).decode().partition("id: ")[2].partition(".")[0]

    text = last_event_id.format(epoch=epoch) if "{epoch}" in last_event_id else last_event_id
    headers = {b"Last-Event-ID": text.encode("latin-1")}
    answer = await admin.get(f"/api/v1/tasks/{task_id}/events", headers=headers)

    assert answer.status_code == 200
    assert "event: snapshot\n" in answer.text


# The size of a body


@pytest.mark.parametrize("is_chunked", [False, True])
async def test_a_large_body_is_refused(site: Live, is_chunked: bool) -> None:
    """A 40 MB JSON would cost ten times that in memory; the length need not be announced."""
    stranger = await site.client()
    text = json.dumps({"username": "x" * BODY_LIMIT, "password": ""}).encode()

    async def pieces() -> AsyncGenerator[bytes]:
        for start in range(0, len(text), 8_192):
            yield text[start : start + 8_192]

    answer = await stranger.post(
        "/api/v1/auth/login", content=pieces() if is_chunked else text, headers=JSON
    )

    assert code_of(answer, 413) == "body_too_large"


async def test_a_large_body_is_refused_where_none_is_wanted(site: Live) -> None:
    """Nor does it help to send it where no body is read."""
    stranger = await site.client()

    answer = await stranger.post(
        "/api/v1/auth/logout", content=b"x" * (4 * BODY_LIMIT), headers=JSON
    )

    assert code_of(answer, 413) == "body_too_large"
