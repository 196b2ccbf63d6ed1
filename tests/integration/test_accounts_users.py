"""What admins do with users, over HTTP and on a real PostgreSQL."""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest

from support.accounts import PASSWORD, Site, outcome, sign_in
from support.waiting import wait_until
from tasuki.accounts import AccountsSettings, LastAdmin
from tasuki.core.database import Database
from tasuki.core.errors import ValidationFailed

NEW = {"username": "taro", "email": "taro@example.org"}


@pytest.fixture
async def site(database: Database) -> AsyncGenerator[Site]:
    site = Site(database)
    yield site
    await site.close()


@pytest.fixture
async def admin(site: Site) -> httpx.AsyncClient:
    await site.add("root", role="admin")
    return await site.signed_in("root")


async def is_somebody_waiting(database: Database) -> bool:
    async with database.driver() as connection:
        found = await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
    return bool(found)


async def test_only_an_admin_sees_and_changes_users(site: Site, admin: httpx.AsyncClient) -> None:
    """Everybody else is turned away from every route, before anything is looked up."""
    user_id = (await admin.post("/users", json=NEW)).json()["id"]
    await site.add("hanako")
    hanako, nobody = await site.signed_in("hanako"), site.browser()

    for method, path, body in (
        ("GET", "/users", None),
        ("POST", "/users", {**NEW, "username": "other"}),
        ("GET", f"/users/{user_id}", None),
        ("PATCH", f"/users/{user_id}", {"role": "admin"}),
        ("GET", "/users/999999", None),
    ):
        assert outcome(await hanako.request(method, path, json=body)) == (403, "forbidden")
        assert outcome(await nobody.request(method, path, json=body)) == (401, "not_authenticated")
    assert (await admin.get(f"/users/{user_id}")).json()["role"] == "user"


async def test_an_admin_adds_and_changes_a_user(site: Site, admin: httpx.AsyncClient) -> None:
    """What is given changes, the rest stays, and open streams of theirs look again."""
    added = await admin.post(
        "/users", json={**NEW, "password": PASSWORD, "name": "山田太郎", "scopes": ["export:pii"]}
    )
    location = added.headers["location"].removeprefix("/api/v1")
    changed = await admin.patch(
        location, json={"email": "yamada@example.jp", "scopes": ["task:shop.invoice", "email:any"]}
    )
    unchanged = await admin.patch(location, json={})

    assert added.status_code == 201
    assert changed.json() == added.json() | {
        "email": "yamada@example.jp",
        "scopes": ["email:any", "task:shop.invoice"],
    }
    assert unchanged.json() == (await admin.get(location)).json() == changed.json()
    assert site.notices.sent == [f"user:{added.json()['id']}"]
    assert (await sign_in(site.browser(), "taro")).status_code == 200


@pytest.mark.parametrize("username", ["TARO", "taro", "ｔａｒｏ"])
async def test_names_that_look_alike_are_one_name(admin: httpx.AsyncClient, username: str) -> None:
    """Upper case or full-width letters make no second person."""
    await admin.post("/users", json=NEW)

    again = await admin.post("/users", json={**NEW, "username": username})

    assert outcome(again) == (409, "user_exists")


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("username", "two words", "letters, digits"),
        ("username", "", "letters, digits"),
        ("username", "a" * 65, "letters, digits"),
        ("username", "nul\x00", "letters, digits"),
        ("username", "\ud800", "valid string"),
        ("email", "nobody", "name@example.org"),
        ("email", "a@b@c", "name@example.org"),
        ("email", "a@example.org\r\nBcc: b@example.org", "name@example.org"),
        ("email", "<a@example.org>", "name@example.org"),
        ("email", "a" * 243 + "@example.org", "name@example.org"),
        ("name", "line\nbreak", "printable"),
        ("password", "short", "8 to 128"),
        ("password", "ＴＡＲＯtaro"[:4], "8 to 128"),
        ("role", "root", "'user' or 'admin'"),
        ("scopes", ["export:pii", "email:all"], "'email:all'"),
        ("scopes", ["task:"], "email:any, email:bulk, export:pii, metrics:read, task:NAME"),
        ("disabled", True, "Extra inputs"),
    ],
)
async def test_an_unacceptable_user_is_refused_with_the_reason(
    admin: httpx.AsyncClient, field: str, value: Any, told: str
) -> None:
    """The answer names the field and what is expected there."""
    body = json.dumps({**NEW, field: value})  # escapes what a client library would refuse
    answer = await admin.post("/users", content=body, headers={"Content-Type": "application/json"})

    assert outcome(answer) == (422, "validation_failed")
    assert answer.json()["errors"][0]["loc"][:2] == ["body", field]
    assert told in answer.json()["errors"][0]["msg"]


async def test_users_are_listed_page_by_page(site: Site, admin: httpx.AsyncClient) -> None:
    """Every user comes once, also when some are added between two pages."""
    for number in range(4):
        await site.add(f"user{number}", password=None)
    names: list[str] = []
    cursor: str | None = None

    for page in range(3):
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        answer = (await admin.get("/users", params=query)).json()
        names += [user["username"] for user in answer["items"]]
        cursor = answer["next"]
        await site.add(f"late{page}", password=None)

    assert names == ["root", "user0", "user1", "user2", "user3", "late0"]
    assert cursor is not None


@pytest.mark.parametrize("cursor", ["x", "LTE", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk", "44Gy", "4pGg"])
async def test_a_cursor_that_is_not_ours_is_refused(admin: httpx.AsyncClient, cursor: str) -> None:
    """Garbage, a negative number, one beyond any id, and digits of other scripts."""
    answer = await admin.get("/users", params={"cursor": cursor})

    assert outcome(answer) == (422, "validation_failed")


async def test_a_user_that_does_not_exist_is_not_found(admin: httpx.AsyncClient) -> None:
    """Also where the number is larger than the database can hold."""
    assert outcome(await admin.get("/users/999999")) == (404, "user_not_found")
    assert outcome(await admin.patch("/users/999999", json={"name": "x"})) == (
        404,
        "user_not_found",
    )
    assert outcome(await admin.get(f"/users/{10**30}")) == (422, "validation_failed")


async def test_disabling_stops_sessions_and_tokens_at_once_and_for_good(
    site: Site, admin: httpx.AsyncClient
) -> None:
    """Who was thrown out does not come back by an old cookie once they are let in again."""
    user_id = await site.add("hanako")
    browser = await site.signed_in("hanako")
    token = (await browser.post("/auth/tokens", json={"name": "ci"})).json()["token"]
    program = site.browser(token=token)

    disabled = await admin.patch(f"/users/{user_id}", json={"disabled": True})
    while_disabled = [await browser.get("/auth/me"), await program.get("/auth/me")]
    refused = await sign_in(site.browser(), "hanako")
    await admin.patch(f"/users/{user_id}", json={"disabled": False})
    after = [await browser.get("/auth/me"), await program.get("/auth/me")]

    assert disabled.json()["disabled"] is True
    assert {answer.status_code for answer in while_disabled + after} == {401}
    assert refused.status_code == 401
    assert (await sign_in(site.browser(), "hanako")).status_code == 200
    assert f"user:{user_id}" in site.notices.sent
    assert {key.split(":")[1] for key in site.notices.sent if "credential" in key} == {
        "session",
        "token",
    }


async def test_the_last_admin_stays(site: Site, admin: httpx.AsyncClient) -> None:
    """Nobody locks everybody out of the system's administration."""
    root_id = (await admin.get("/auth/me")).json()["id"]
    disabled_admin = await site.add("former", role="admin")
    await admin.patch(f"/users/{disabled_admin}", json={"disabled": True})

    for change in ({"disabled": True}, {"role": "user"}):
        answer = await admin.patch(f"/users/{root_id}", json=change)
        assert outcome(answer) == (409, "last_admin")

    await site.add("second", role="admin")
    assert (await admin.patch(f"/users/{root_id}", json={"role": "user"})).status_code == 200
    assert outcome(await admin.get("/users")) == (403, "forbidden")


async def test_two_admins_cannot_remove_each_other_at_the_same_moment(site: Site) -> None:
    """The second call waits for the first and then sees that it is about the last admin."""
    one, two = await site.add("one", role="admin"), await site.add("two", role="admin")

    async def disable_two() -> None:
        async with site.database.unit_of_work() as session:
            await site.users.change(session, two, disabled=True)

    async with site.database.unit_of_work() as session:
        await site.users.change(session, one, disabled=True)
        second = asyncio.create_task(disable_two())

        async def waits_or_is_done() -> bool:
            return second.done() or await is_somebody_waiting(site.database)

        await wait_until(waits_or_is_done, within=5)

    with pytest.raises(LastAdmin):
        await second


async def test_who_is_disabled_in_the_database_itself_is_nobody_at_once(site: Site) -> None:
    """An operator with `psql` needs to know one column, not how sessions and tokens end."""
    await site.add("hanako")
    browser = await site.signed_in("hanako")
    token = (await browser.post("/auth/tokens", json={"name": "ci"})).json()["token"]

    async with site.database.driver() as connection:
        await connection.execute("UPDATE users SET disabled_at = now()")

    assert (await browser.get("/auth/me")).status_code == 401
    assert (await site.browser(token=token).get("/auth/me")).status_code == 401


# The first start


async def test_many_processes_that_start_together_make_one_admin(site: Site) -> None:
    """One of them shows the password, and that password works."""

    async def start() -> str | None:
        async with site.database.unit_of_work() as session:
            return await site.users.ensure_admin(session)

    shown = await asyncio.gather(*(start() for _ in range(5)))

    (password,) = [one for one in shown if one is not None]
    browser = await site.signed_in("admin", password)
    assert (await browser.get("/users")).json()["items"][0]["role"] == "admin"
    assert len((await browser.get("/users")).json()["items"]) == 1
    assert len(password) >= 43, "256 random bits"


async def test_there_is_no_default_password(site: Site) -> None:
    """What is in every list of default passwords opens nothing."""
    async with site.database.unit_of_work() as session:
        await site.users.ensure_admin(session)

    for password in ("admin", "password", "tasuki", "changeme", "", "None", "**********"):
        assert (await sign_in(site.browser(), "admin", password)).status_code == 401


async def test_the_settings_give_the_first_password_and_later_none(database: Database) -> None:
    """It is not printed, since its owner knows it; on later starts it changes nothing."""
    for configured in ("from the settings", "another one"):
        site = Site(database, settings=AccountsSettings(admin_password=configured))
        async with database.unit_of_work() as session:
            assert await site.users.ensure_admin(session) is None
        assert (await sign_in(site.browser(), "admin", "from the settings")).status_code == 200
        assert (await sign_in(site.browser(), "admin", "another one")).status_code == 401
        await site.close()


async def test_a_first_password_that_is_too_short_stops_the_start(database: Database) -> None:
    """Better no system than one that anybody guesses into."""
    site = Site(database, settings=AccountsSettings(admin_password="admin"))

    with pytest.raises(ValidationFailed, match="8 to 128"):
        async with database.unit_of_work() as session:
            await site.users.ensure_admin(session)
    await site.close()


async def test_an_operator_sets_a_password_and_all_sessions_end(site: Site) -> None:
    """What `tasuki user password` does, also for a user who had none."""
    user_id = await site.add("hanako")
    browser = await site.signed_in("hanako")

    async with site.database.unit_of_work() as session:
        assert (await site.users.get_by_username(session, "HANAKO")).id == user_id
        await site.users.set_password(session, user_id, "another password")

    assert (await browser.get("/auth/me")).status_code == 401
    assert (await sign_in(site.browser(), "hanako", "another password")).status_code == 200
