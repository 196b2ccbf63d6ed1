"""What users did, over HTTP and counted by day, on a real PostgreSQL."""

from collections.abc import AsyncGenerator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import HTTPConnection

from tasuki.activity import ActivityRepository, ActivityService
from tasuki.activity.router import router
from tasuki.core.database import Database
from tasuki.core.errors import ValidationFailed
from tasuki.core.registry import Registry
from tasuki.web.principal import Authenticator, Principal
from tasuki.web.settings import WebSettings

NOW = datetime(2026, 3, 18, 15, 0, tzinfo=UTC)


class NumberedCallers:
    """Believes the number in a header."""

    async def authenticate(self, connection: HTTPConnection) -> Principal | None:
        number = connection.headers.get("x-user")
        return Principal(id=int(number), username=f"user-{number}") if number else None


@pytest.fixture
async def client(database: Database) -> AsyncGenerator[httpx.AsyncClient]:
    services = Registry()
    services.add(Database, database)
    services.add(WebSettings, WebSettings())
    services.add(ActivityService, ActivityService(clock=lambda: NOW))
    services.add(Authenticator, NumberedCallers())
    app = FastAPI()
    app.state.tasuki = services
    app.include_router(router, prefix="/api/v1")
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://tasuki.example/api/v1", headers={"X-User": "7"}
    ) as client:
        yield client


async def rows(database: Database) -> list[Any]:
    async with database.driver() as connection:
        found: list[Any] = await connection.fetch("SELECT * FROM activity ORDER BY id")
    return found


async def test_something_done_is_recorded_for_the_caller(
    client: httpx.AsyncClient, database: Database
) -> None:
    """The answer is what stands in the table; whose it is comes from the sign-in alone."""
    answer = await client.post(
        "/activity",
        json={"kind": "注文", "data": {"order": 7}, "at": "2026-03-18T09:00:00+09:00"},
    )

    assert answer.status_code == 201
    (row,) = await rows(database)
    assert answer.json() == {
        "id": row["id"],
        "kind": "注文",
        "data": {"order": 7},
        "at": "2026-03-18T00:00:00Z",
    }
    assert (row["user_id"], row["at"]) == (7, datetime(2026, 3, 18, tzinfo=UTC))


async def test_kind_alone_is_enough(client: httpx.AsyncClient, database: Database) -> None:
    """It happened now, by the database's clock, and there is nothing to say about it."""
    answer = await client.post("/activity", json={"kind": "login"})

    assert answer.status_code == 201
    assert answer.json()["data"] == {}
    (row,) = await rows(database)
    assert abs(row["at"] - datetime.now(UTC)) < timedelta(minutes=1)


async def test_nobody_records_for_somebody_else(client: httpx.AsyncClient) -> None:
    """Not signed in, or with a user id in the body."""
    anonymous = await client.post("/activity", json={"kind": "login"}, headers={"X-User": ""})
    foreign = await client.post("/activity", json={"kind": "login", "user_id": 8})

    assert anonymous.status_code == 401
    assert foreign.status_code == 422


@pytest.mark.parametrize(
    ("field", "json_text"),
    [
        ("kind", '""'),
        ("kind", '"a\\u0000b"'),
        ("kind", '"line\\nbreak"'),
        ("kind", f'"{"x" * 65}"'),
        ("at", '"2026-03-18T15:01:01Z"'),
        ("at", '"2026-03-18T15:00:00"'),
        ("at", '"0001-01-01T00:00:00+14:00"'),
        ("data", "[1]"),
        ("data", '{"x": NaN}'),
        ("data", '{"x": 1e999}'),
        ("data", f'{{"x": "{"あ" * 5500}"}}'),
        ("data", '{"x": ' + "[" * 60 + "]" * 60 + "}"),
        ("data", '{"x": ' + "[" * 600 + "]" * 600 + "}"),
    ],
)
async def test_what_cannot_be_stored_is_refused_with_the_reason(
    client: httpx.AsyncClient, database: Database, field: str, json_text: str
) -> None:
    """Each is a 422 that names the field, and never a broken server or a half-stored row."""
    values = {"kind": '"post"', field: json_text}
    body = "{" + ",".join(f'"{name}":{text}' for name, text in values.items()) + "}"

    answer = await client.post(
        "/activity", content=body.encode(), headers={"Content-Type": "application/json"}
    )

    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert answer.json()["errors"][0]["loc"] == ["body", field]
    assert await rows(database) == []


async def test_clocks_may_differ_by_a_minute(client: httpx.AsyncClient) -> None:
    """A client whose clock is a little ahead is not turned away."""
    answer = await client.post("/activity", json={"kind": "post", "at": "2026-03-18T15:00:59Z"})

    assert answer.status_code == 201


async def test_a_nul_in_the_data_becomes_a_replacement_character(
    client: httpx.AsyncClient,
) -> None:
    """PostgreSQL has no room for U+0000; the rest of the record is not lost over it."""
    answer = await client.post("/activity", json={"kind": "post", "data": {"text": "a\x00b"}})

    assert answer.json()["data"] == {"text": "a�b"}


async def test_days_are_those_of_the_timezone(database: Database) -> None:
    """What somebody in Tokyo does at eight in the morning is not yesterday's."""
    activity = ActivityService()
    moments = [
        datetime(2026, 3, 16, 14, 59, 59, tzinfo=UTC),  # 23:59:59 of the 16th in Tokyo
        datetime(2026, 3, 16, 15, 0, tzinfo=UTC),  # midnight of the 17th
        datetime(2026, 3, 17, 14, 59, tzinfo=UTC),
        datetime(2026, 3, 17, 15, 0, tzinfo=UTC),  # the end is not included
    ]
    async with database.unit_of_work() as session:
        for at in moments:
            await activity.record(session, user_id=7, kind="post", at=at)
        await activity.record(session, user_id=7, kind="login", at=moments[1])
        await activity.record(session, user_id=8, kind="post", at=moments[1])

        async def count(timezone: str) -> list[tuple[date, str, int]]:
            return await activity.counts_by_day(
                session, user_id=7, start=moments[0], end=moments[3], timezone=timezone
            )

        in_tokyo, in_utc = await count("Asia/Tokyo"), await count("UTC")

    assert in_tokyo == [
        (date(2026, 3, 16), "post", 1),
        (date(2026, 3, 17), "login", 1),
        (date(2026, 3, 17), "post", 2),
    ]
    assert in_utc == [
        (date(2026, 3, 16), "login", 1),
        (date(2026, 3, 16), "post", 2),
        (date(2026, 3, 17), "post", 1),
    ]


@pytest.mark.parametrize("timezone", ["Mars/Olympus", "", "../etc/passwd", "UTC\x00", "a" * 9999])
async def test_an_unknown_timezone_is_refused(database: Database, timezone: str) -> None:
    """It is told to the caller, and never becomes a path or a database error."""
    async with database.unit_of_work() as session:
        with pytest.raises(ValidationFailed, match="unknown timezone"):
            await ActivityService().counts_by_day(
                session, user_id=7, start=NOW, end=NOW, timezone=timezone
            )


async def test_a_bulk_load_joins_the_transaction_it_is_in(database: Database) -> None:
    """Ten thousand rows at once, all or none."""
    loaded = [(7, "post", NOW, '{"a": 1}')] * 10_000

    async def load(*, then_fail: bool) -> None:
        async with database.driver() as connection, connection.transaction():
            await ActivityRepository().bulk_load(connection, loaded)
            if then_fail:
                raise RuntimeError

    with pytest.raises(RuntimeError):
        await load(then_fail=True)
    assert await rows(database) == []
    await load(then_fail=False)
    assert len(await rows(database)) == 10_000

    async with database.unit_of_work() as session:
        counted = await ActivityService().counts_by_day(
            session, user_id=7, start=NOW, end=NOW + timedelta(seconds=1), timezone="UTC"
        )
    assert counted == [(NOW.date(), "post", 10_000)]
