"""Accounts and activity in the whole application; `test_accounts_*.py` has their every rule."""

import pytest

from support.live import Live
from support.system import ADMIN_PASSWORD

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_day_of_a_user(site: Live) -> None:
    """Added by an admin, signs in, does something, makes a token, signs out everywhere."""
    admin = await site.user("root", role="admin")
    new = {"username": "hanako", "email": "hanako@example.org", "password": ADMIN_PASSWORD}
    added = await admin.post("/api/v1/users", json=new)
    browser, elsewhere = await site.client(), await site.client()

    await elsewhere.sign_in("hanako")
    signed_in = await browser.post(
        "/api/v1/auth/login", json={"username": "hanako", "password": ADMIN_PASSWORD}
    )
    did = await browser.post("/api/v1/activity", json={"kind": "comment", "data": {"post": 7}})
    made = await browser.post("/api/v1/auth/tokens", json={"name": "laptop"})
    program = await site.client(Authorization=f"Bearer {made.json()['token']}")
    changed = await browser.post(
        "/api/v1/auth/password", json={"old": ADMIN_PASSWORD, "new": "another password"}
    )
    sessions = await browser.get("/api/v1/auth/sessions")
    signed_out = await browser.post("/api/v1/auth/logout")

    assert (added.status_code, added.headers["location"]) == (
        201,
        f"/api/v1/users/{added.json()['id']}",
    )
    assert signed_in.json() == added.json() | {"disabled": False}
    assert (did.status_code, did.json()["kind"], did.json()["data"]) == (
        201,
        "comment",
        {"post": 7},
    )
    assert did.json()["at"].endswith("Z")
    assert (made.status_code, set(made.json())) == (201, {"id", "name", "token"})
    assert changed.status_code == signed_out.status_code == 204
    assert [item["current"] for item in sessions.json()["items"]] == [True]
    assert (await elsewhere.get("/api/v1/auth/me")).status_code == 401
    assert (await browser.get("/api/v1/auth/me")).status_code == 401
    assert (await program.get("/api/v1/auth/me")).json()["username"] == "hanako"


async def test_pages_of_users_neither_repeat_nor_skip_while_users_are_added(site: Live) -> None:
    """Ordered by id, so whoever comes meanwhile stands at the end."""
    admin = await site.user("pager", role="admin")
    for number in range(5):
        await site.add_user(f"before{number}")

    seen: list[int] = []
    last = 0
    cursor: str | None = None
    while True:
        params = {"limit": "2"} if cursor is None else {"limit": "2", "cursor": cursor}
        page = (await admin.get("/api/v1/users", params=params)).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
        if len(seen) == 2:
            last = await site.add_user("meanwhile")

    assert seen == sorted(set(seen))
    assert last in seen


async def test_the_schema_names_every_problem_a_client_can_meet(site: Live) -> None:
    """Clients are made from it: an answer that it does not name would be a surprise."""
    schema = (await (await site.client()).get("/openapi.json")).json()

    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            if path.startswith("/api/"):
                answers = operation["responses"]
                assert {"401", "422"} <= answers.keys(), f"{method} {path}"
                assert "application/problem+json" in answers["422"]["content"]
