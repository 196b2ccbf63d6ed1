"""Tasuki's routes inside somebody else's application: its errors are ours, and undo all."""

from collections.abc import AsyncGenerator
from pathlib import Path
from types import SimpleNamespace

import asyncpg
import pytest
import structlog
from fastapi import APIRouter, FastAPI, HTTPException, Request, Response
from starlette.middleware.base import RequestResponseEndpoint

from support import jobs
from support.client import Client
from support.live import BODY_LIMIT, live_settings, serving
from support.sockets import talking
from tasuki import Tasuki
from tasuki.core.errors import ValidationFailed
from tasuki.web.depends import DbSession
from tasuki.web.middleware import SecurityHeaders
from tasuki.web.problem import ProblemRoute
from tasuki.wiring.web import create_app

FAIL_AT_COMMIT = """
CREATE FUNCTION fail_at_commit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'no commit today' USING ERRCODE = '53100'; END $$;
CREATE CONSTRAINT TRIGGER fail_at_commit AFTER INSERT ON tasks
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail_at_commit();
"""


def current_user() -> SimpleNamespace:
    """Everybody is the same person here."""
    return SimpleNamespace(id=7, is_admin=True)


@pytest.fixture
async def host(tmp_path: Path, database_url: str, redis_url: str) -> AsyncGenerator[Client]:
    """A client of an application of one's own, with Tasuki in it and a route that fails late."""
    tasuki, app = Tasuki(live_settings(database_url, redis_url, tmp_path)), FastAPI()
    tasuki.install(app, current_user=current_user)
    router = APIRouter(route_class=ProblemRoute)

    @router.post("/fails-late")
    async def fail_late(session: DbSession) -> None:
        await tasuki.enqueue(session, jobs.echo)
        raise ValidationFailed("on second thoughts, no")

    app.include_router(router)
    async with serving(app, tasuki) as url, Client(base_url=url, timeout=20) as client:
        yield client


async def test_what_is_refused_late_leaves_nothing_behind(host: Client, database_url: str) -> None:
    """An error that is answered too early does not reach the transaction, which then commits."""
    answer = await host.post("/fails-late")

    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    connection = await asyncpg.connect(database_url)
    assert await connection.fetchval("SELECT count(*) FROM tasks") == 0
    await connection.close()


async def test_a_failed_commit_is_a_problem_in_any_application(
    host: Client, database_url: str
) -> None:
    """It fails after the endpoint has returned, and still the answer says when to come back."""
    connection = await asyncpg.connect(database_url)
    await connection.execute(FAIL_AT_COMMIT)
    await connection.close()

    answer = await host.post("/api/v1/tasks", json={"name": "test.echo"})

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert "retry-after" in answer.headers


@pytest.mark.parametrize("is_chunked", [False, True])
async def test_a_large_body_is_a_problem_in_any_application(
    host: Client, *, is_chunked: bool
) -> None:
    """Programs read the code of an error; the framework's own answer is plain text."""
    body = b'{"name": "' + b"x" * BODY_LIMIT + b'"}'

    async def pieces() -> AsyncGenerator[bytes]:
        for start in range(0, len(body), 8_192):
            yield body[start : start + 8_192]

    answer = await host.post(
        "/api/v1/tasks",
        content=pieces() if is_chunked else body,
        headers={"content-type": "application/json"},
    )

    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_users_of_an_application_of_ones_own_have_an_inbox(host: Client) -> None:
    """Tasuki knows them by number alone: it refuses none, and shows each what they were told."""
    words = {"notification_type": "shop", "title": "Paid", "message": ""}
    for whom in ({"user_id": 7}, {"user_id": 8}, {"broadcast": True}):
        assert (await host.post("/api/v1/notifications", json=words | whom)).status_code == 201

    async with talking(host, "/api/v1/ws/notifications/7") as talk:
        await host.post("/api/v1/notifications/read-all")
        # What was told before may come after the socket is open: it is pushed after the commit.
        told = await talk.hear_until("notifications_read")
    inbox = (await host.get("/api/v1/notifications")).json()

    assert told["unread"] == 0
    assert [one["broadcast"] for one in inbox["items"]] == [True, False]


async def test_a_status_that_a_route_of_ones_own_raises_is_kept(
    tmp_path: Path, database_url: str, redis_url: str
) -> None:
    """A 503 that comes as a 500 is not tried again, and one without `Retry-After` too early."""
    tasuki = Tasuki(live_settings(database_url, redis_url, tmp_path))
    app = create_app(tasuki)
    codes = {
        204: None,
        400: "bad_request",
        409: "conflict",
        418: "im_a_teapot",
        422: "validation_failed",
        429: "rate_limited",
        499: "status_499",
        500: "internal_error",
        502: "bad_gateway",
        503: "unavailable",
    }

    @app.get("/own/{status}")
    async def fail(status: int) -> None:
        raise HTTPException(status, "not now", {"Retry-After": "7"})

    async with serving(app, tasuki) as url, Client(base_url=url, timeout=20) as client:
        answers = {status: await client.get(f"/own/{status}") for status in codes}

    assert {status: answer.status_code for status, answer in answers.items()} == {
        status: status for status in codes
    }
    assert {answer.headers["retry-after"] for answer in answers.values()} == {"7"}
    assert answers.pop(204).content == b""
    for status, answer in answers.items():
        problem = answer.json()
        assert answer.headers["content-type"] == "application/problem+json"
        assert (problem["status"], problem["code"]) == (status, codes[status])
        assert problem["detail"] == "not now"


async def test_a_middleware_that_hides_broken_downloads_is_named_at_the_start(
    tmp_path: Path, database_url: str, redis_url: str
) -> None:
    """Through it a half export is a clean 200, and nobody would ever learn why."""
    tasuki, app = Tasuki(live_settings(database_url, redis_url, tmp_path)), FastAPI()
    tasuki.install(app, current_user=current_user)
    app.add_middleware(SecurityHeaders)

    @app.middleware("http")
    async def add_time(request: Request, call_next: RequestResponseEndpoint) -> Response:
        return await call_next(request)

    with structlog.testing.capture_logs() as logs:
        async with serving(app, tasuki):
            pass

    named = [one for one in logs if one["event"] == "middleware_hides_broken_downloads"]
    assert [one["log_level"] for one in named] == ["warning"]
    assert named[0]["middleware"].endswith("add_time")
