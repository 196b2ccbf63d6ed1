"""What a browser is told, and what another site can make it do."""

import re
from typing import Any

import httpx
import pytest
import pytest_asyncio
from starlette.middleware.base import BaseHTTPMiddleware

from support.client import Client
from support.live import Live
from support.system import ADMIN_PASSWORD

pytestmark = pytest.mark.asyncio(loop_scope="module")

FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "{url}.evil.example"},
    {"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]
WRITES: list[tuple[str, str, dict[str, Any] | None]] = [
    ("POST", "/api/v1/auth/login", {"username": "victim", "password": ADMIN_PASSWORD}),
    ("POST", "/api/v1/auth/logout", None),
    ("POST", "/api/v1/auth/tokens", {"name": "evil"}),
    ("POST", "/api/v1/activity", {"kind": "post"}),
    ("POST", "/api/v1/tasks/generate-report/", {}),
    ("POST", "/api/v1/tasks", {"name": "test.echo"}),
    ("POST", "/api/v1/users", {"username": "evil", "email": "evil@example.org"}),
    ("DELETE", "/api/v1/auth/sessions/01900000-0000-7000-8000-000000000000", None),
    ("PATCH", "/api/v1/users/1", {"role": "admin"}),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def victim(site: Live) -> Client:
    """An admin with an open browser: the one whose cookie is worth something."""
    user_id = await site.add_user("victim", role="admin", password=ADMIN_PASSWORD)
    return await site.browser(user_id)


def outcome(answer: httpx.Response) -> tuple[int, str]:
    """Return what a client looks at of a refusal."""
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize("headers", FOREIGN, ids=lambda headers: " ".join(headers.values()))
@pytest.mark.parametrize(("method", "path", "body"), WRITES)
async def test_another_site_cannot_write_with_our_cookie(
    site: Live,
    victim: Client,
    method: str,
    path: str,
    body: dict[str, Any] | None,
    headers: dict[str, str],
) -> None:
    """The browser says who started a request, and pages cannot forge that."""
    sent = {name: value.format(url=site.url) for name, value in headers.items()}

    answer = await victim.request(method, path, json=body, headers=sent)

    assert outcome(answer) == (403, "forbidden")
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("headers", [{}, {"Origin": "{url}"}, {"Sec-Fetch-Site": "same-origin"}])
async def test_our_own_pages_and_programs_can_write(
    site: Live, victim: Client, headers: dict[str, str]
) -> None:
    """Else the check would be a wall and no door."""
    sent = {name: value.format(url=site.url) for name, value in headers.items()}

    answer = await victim.post("/api/v1/activity", json={"kind": "post"}, headers=sent)

    assert answer.status_code == 201


async def test_a_bearer_token_is_good_from_any_page(site: Live, victim: Client) -> None:
    """No browser adds it by itself, so a page that has it was given it."""
    me = (await victim.get("/api/v1/auth/me")).json()["id"]
    program = await site.program(me)

    answer = await program.post(
        "/api/v1/activity", json={"kind": "post"}, headers={"Origin": "https://other.example"}
    )

    assert answer.status_code == 201


@pytest.mark.parametrize(
    "media_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""],
)
@pytest.mark.parametrize(("method", "path", "body"), WRITES)
async def test_only_json_is_taken(
    victim: Client, method: str, path: str, body: dict[str, Any] | None, media_type: str
) -> None:
    """Another site's form can send these three types without the browser asking first."""
    del body
    headers = {"Content-Type": media_type} if media_type else {}

    answer = await victim.request(method, path, content=b'{"a": 1}', headers=headers)

    assert outcome(answer) == (415, "unsupported_media_type")


# Headers


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("GET", "/ui/index.html", 200),
        ("GET", "/ui/nowhere.js", 404),
        ("GET", "/openapi.json", 200),
        ("GET", "/healthz", 200),
        ("GET", "/readyz", 200),
        ("GET", "/nowhere", 404),
        ("POST", "/healthz", 405),
        ("GET", "/api/v1/auth/me", 401),
        ("POST", "/api/v1/auth/login", 422),
        ("GET", "/api/v1/tasks/nonsense", 422),
        ("DELETE", "/api/v1/tasks", 405),
        ("OPTIONS", "/api/v1/tasks", 405),
    ],
)
async def test_every_answer_tells_the_browser_to_be_careful(
    site: Live, victim: Client, method: str, path: str, status: int
) -> None:
    """No script but ours, no guessing of types, no frames, no address in referrers."""
    client = victim if status == 422 else await site.client()

    answer = await client.request(method, path)

    assert answer.status_code == status
    careful(answer)
    if path.startswith("/api/"):
        assert answer.headers["cache-control"] == "no-store"


async def test_streams_files_and_refusals_are_careful_too(site: Live, victim: Client) -> None:
    """Also where the answer is not the usual one."""
    task_id = await victim.order("test.file", text="<script>alert(1)</script>")
    await site.work()

    file = await victim.get(f"/api/v1/tasks/{task_id}/result")
    stream = await victim.get(f"/api/v1/tasks/{task_id}/events")
    large = await victim.post("/api/v1/activity", content=b"x" * 100_000)

    assert (file.status_code, stream.status_code, large.status_code) == (200, 200, 413)
    careful(stream)
    careful(large)
    assert file.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert file.headers["x-content-type-options"] == "nosniff"
    assert file.headers["content-disposition"].startswith("attachment;")


def careful(answer: httpx.Response) -> None:
    """Check the headers that every answer has."""
    policy = dict(
        part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'self'"
    assert "script-src" not in policy
    assert (policy["object-src"], policy["frame-ancestors"]) == ("'none'", "'none'")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert "server" not in answer.headers
    assert "x-powered-by" not in answer.headers
    assert "access-control-allow-origin" not in answer.headers


async def test_the_page_has_no_script_of_its_own_in_it(site: Live) -> None:
    """The policy forbids inline script; a page that needed it would be blank."""
    page = (await (await site.client()).get("/")).text

    assert re.findall(r"<script(?![^>]*\bsrc=)[^>]*>\s*\S", page) == []
    assert re.findall(r"\son[a-z]+=", page) == []
    assert "javascript:" not in page


async def test_no_middleware_breaks_downloads(site: Live) -> None:
    """Under `BaseHTTPMiddleware` an export that breaks half-way arrives as a clean 200."""
    classes = [middleware.cls for middleware in site.app.user_middleware]

    assert classes
    assert not any(
        isinstance(made, type) and issubclass(made, BaseHTTPMiddleware) for made in classes
    )
