"""Sessions, tokens, limits and the clean-up below HTTP, on a real PostgreSQL."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

import pytest
from argon2 import PasswordHasher

from support.accounts import PASSWORD, Site
from tasuki.accounts import AccountsSettings, LoginLimits, SessionService
from tasuki.accounts.errors import TooManyTokens
from tasuki.accounts.sessions import MAX_SESSIONS
from tasuki.accounts.tasks import cleanup_expired_sessions
from tasuki.accounts.tokens import MAX_TOKENS
from tasuki.core.database import Database
from tasuki.core.errors import InvalidCredentials, RateLimited
from tasuki.core.ids import new_id
from tasuki.tasks import TaskContext


@pytest.fixture
async def site(database: Database) -> AsyncGenerator[Site]:
    site = Site(database)
    yield site
    await site.close()


class NoReport:
    """Takes what a task says about itself, and forgets it."""

    is_cancelled = False

    def progress(self, progress: dict[str, Any]) -> None: ...

    def log(self, level: str, message: str) -> None: ...

    def artifact(self, artifact: object) -> None: ...


async def run(database: Database, statement: str, *args: Any) -> list[Any]:
    async with database.driver() as connection, connection.transaction():
        rows: list[Any] = await connection.fetch(statement, *args)
    return rows


async def login(site: Site, username: str = "hanako", password: str = PASSWORD) -> str:
    _, secret = await site.login.login(username, password, address="192.0.2.1", user_agent="test")
    return secret


async def test_no_secret_stands_in_the_database(site: Site) -> None:
    """A stolen backup signs nobody in: it has hashes only, of tickets too."""
    user_id = await site.add("hanako", password="canary password")
    session_secret = await login(site, password="canary password")
    async with site.database.unit_of_work() as session:
        _, token = await site.tokens.create(session, user_id, name="ci")
    program = site.browser(token=token)
    ticket = (await program.post("/auth/ticket")).json()["ticket"]
    with pytest.raises(InvalidCredentials):
        await login(site, username="typed-a-password-as-name")

    tables = await run(
        site.database, "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'"
    )
    everything = ""
    for table in tables:
        # The names come from the catalogue and cannot be parameters.
        query = f'SELECT t::text AS row FROM "{table["name"]}" t'  # noqa: S608  # see above
        rows = await run(site.database, query)
        everything += "\n".join(row["row"] for row in rows)

    assert "hanako" in everything
    secrets = ("canary password", session_secret, token, token[4:], ticket, ticket[4:])
    for secret in (*secrets, "typed-a-password"):
        assert secret not in everything
        assert secret.encode().hex() not in everything


async def test_a_sign_in_is_recorded_as_activity(site: Site) -> None:
    """The report counts logins; a refused one is none."""
    user_id = await site.add("hanako")
    await login(site)
    with pytest.raises(InvalidCredentials):
        await login(site, password="wrong password")

    rows = await run(site.database, "SELECT user_id, kind FROM activity")

    assert [tuple(row) for row in rows] == [(user_id, "login")]


async def test_many_guesses_at_the_same_moment_do_not_pass_the_limit(site: Site) -> None:
    """Attempts are counted before they are checked, not after."""
    await site.add("hanako")

    async def guess() -> type[Exception]:
        try:
            await login(site, password="wrong password")
        except (InvalidCredentials, RateLimited) as refused:
            return type(refused)
        raise AssertionError("a wrong password signed in")

    answers = await asyncio.gather(*(guess() for _ in range(30)))

    assert answers.count(InvalidCredentials) == 10
    assert answers.count(RateLimited) == 20
    assert site.passwords.checks == 10


async def test_after_the_window_the_count_begins_anew(site: Site) -> None:
    """Who mistyped ten times is let in again a quarter of an hour later."""
    await site.add("hanako")
    for _ in range(10):
        with pytest.raises(InvalidCredentials):
            await login(site, password="wrong password")
    with pytest.raises(RateLimited) as limited:
        await login(site)

    await run(site.database, "UPDATE login_attempts SET ends_at = now() - interval '1 second'")
    await login(site)

    assert 880 <= (limited.value.retry_after_s or 0) <= 900
    failures = await run(site.database, "SELECT failures FROM login_attempts")
    assert [row["failures"] for row in failures] == [0, 0, 0]


async def test_an_account_is_limited_over_all_addresses(database: Database) -> None:
    """A botnet gets a few dozen guesses, not a few for each of its machines."""
    site = Site(database, settings=AccountsSettings(login_failures_per_account=3))
    await site.add("hanako")
    for number in range(3):
        with pytest.raises(InvalidCredentials):
            await site.login.login(
                "hanako", "wrong password", address=f"192.0.2.{number}", user_agent=None
            )

    with pytest.raises(RateLimited):
        await site.login.login("hanako", PASSWORD, address="192.0.2.99", user_agent=None)
    await site.close()


async def test_a_hash_of_old_parameters_is_renewed_at_the_next_sign_in(site: Site) -> None:
    """Stronger parameters reach everybody without asking them for a new password."""
    await site.add("hanako")
    old = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
    await run(site.database, "UPDATE users SET password_hash = $1", old)

    await login(site)

    (row,) = await run(site.database, "SELECT password_hash FROM users")
    assert row["password_hash"].startswith("$argon2id$v=19$m=47104,t=1,p=1$")
    await login(site)


async def test_a_session_that_is_idle_or_too_old_is_nobody(site: Site) -> None:
    """A cookie left in an internet café is worth nothing on Monday."""
    await site.add("hanako")
    for change in (
        "UPDATE sessions SET last_seen_at = now() - interval '3 days 1 second'",
        "UPDATE sessions SET expires_at = now() - interval '1 second'",
    ):
        browser = await site.signed_in("hanako")
        assert (await browser.get("/auth/me")).status_code == 200
        await run(site.database, change)
        assert (await browser.get("/auth/me")).status_code == 401


async def test_the_use_of_a_session_or_token_is_noted_once_a_minute(site: Site) -> None:
    """A request reads one row; it does not write one each time."""
    await site.add("hanako")
    browser = await site.signed_in("hanako")
    token = (await browser.post("/auth/tokens", json={"name": "ci"})).json()["token"]
    program = site.browser(token=token)
    seen = "SELECT (SELECT last_seen_at FROM sessions), (SELECT last_used_at FROM api_tokens)"
    a_minute = timedelta(seconds=61)

    await program.get("/auth/me")
    (first,) = await run(site.database, seen)
    await browser.get("/auth/me")
    await program.get("/auth/me")
    (second,) = await run(site.database, seen)
    await run(site.database, "UPDATE sessions SET last_seen_at = now() - $1::interval", a_minute)
    await run(site.database, "UPDATE api_tokens SET last_used_at = now() - $1::interval", a_minute)
    await browser.get("/auth/me")
    await program.get("/auth/me")
    (third,) = await run(site.database, seen)

    assert tuple(first) == tuple(second)
    assert third[0] > first[0]
    assert third[1] > first[1]


async def test_a_user_has_a_bounded_number_of_sessions_and_tokens(site: Site) -> None:
    """A script that signs in for every call fills no table."""
    user_id = await site.add("hanako")
    async with site.database.unit_of_work() as session:
        first = await site.sessions.begin(session, user_id, address=None, user_agent=None)
        for _ in range(MAX_SESSIONS):
            await site.sessions.begin(session, user_id, address=None, user_agent=None)
        for number in range(MAX_TOKENS):
            await site.tokens.create(session, user_id, name=f"token {number}")

    with pytest.raises(TooManyTokens):
        async with site.database.unit_of_work() as session:
            await site.tokens.create(session, user_id, name="one more")

    async with site.database.unit_of_work() as session:
        assert len(await site.sessions.of_user(session, user_id)) == MAX_SESSIONS
    browser = site.browser()
    cookie = {"Cookie": f"tasuki_session={first}"}
    assert (await browser.get("/auth/me", headers=cookie)).status_code == 401


async def test_a_revocation_that_rolls_back_is_not_told(site: Site) -> None:
    """A stream that looks again too early would find its session alive, and go on for long."""
    user_id = await site.add("hanako")
    await login(site)

    async def end_and_fail() -> None:
        async with site.database.unit_of_work() as session:
            await site.sessions.end_all(session, user_id)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await end_and_fail()
    told_after_rollback = list(site.notices.sent)
    async with site.database.unit_of_work() as session:
        await site.sessions.end_all(session, user_id)
        told_before_commit = list(site.notices.sent)

    assert told_after_rollback == told_before_commit == []
    assert len(site.notices.sent) == 1


async def test_a_password_change_during_a_sign_in_is_not_overtaken(site: Site) -> None:
    """A sign-in with the old password that is half done leaves no session behind."""
    user_id = await site.add("hanako")
    real = site.passwords.verify

    async def verify_slowly(password: str, password_hash: str | None) -> bool:
        is_right = await real(password, password_hash)
        async with site.database.unit_of_work() as session:
            await site.users.set_password(session, user_id, "another password")
        return is_right

    site.passwords.verify = verify_slowly  # type: ignore[method-assign]  # one pause in it
    with pytest.raises(InvalidCredentials):
        await login(site)

    assert await run(site.database, "SELECT id FROM sessions") == []


async def test_the_clean_up_deletes_what_has_ended_and_nothing_else(site: Site) -> None:
    """It gives room back, in batches, and tells how many sessions it deleted."""
    user_id = await site.add("hanako")
    browser = await site.signed_in("hanako")
    await run(
        site.database,
        "INSERT INTO sessions (id, user_id, token_hash, last_seen_at, expires_at) "
        "SELECT gen_random_uuid(), $1, sha256(n::text::bytea), "
        "now() - CASE WHEN n % 2 = 0 THEN interval '4 days' ELSE interval '0' END, "
        "now() + CASE WHEN n % 2 = 0 THEN interval '1 day' ELSE interval '-1 second' END "
        "FROM generate_series(1, 2500) n",
        user_id,
    )
    await run(
        site.database,
        "INSERT INTO login_attempts (key, failures, ends_at) "
        "SELECT sha256(n::text::bytea), 1, now() - interval '1 second' "
        "FROM generate_series(1, 1200) n",
    )
    await run(
        site.database,
        "INSERT INTO tickets (token_hash, user_id, credential, expires_at) "
        "SELECT sha256(n::text::bytea), $1, 'session:', now() - interval '1 second' "
        "FROM generate_series(1, 1200) n",
        user_id,
    )
    await browser.post("/auth/ticket")
    ctx = TaskContext(
        task_id=new_id(), attempt=1, owner_id=None, services=site.services, report=NoReport()
    )
    assert site.services.get(SessionService) is site.sessions
    assert site.services.get(LoginLimits) is site.limits

    first, second = await cleanup_expired_sessions(ctx), await cleanup_expired_sessions(ctx)

    assert (first, second) == ({"deleted": 2500}, {"deleted": 0})
    assert len(await run(site.database, "SELECT id FROM sessions")) == 1
    assert len(await run(site.database, "SELECT key FROM login_attempts")) == 3
    assert len(await run(site.database, "SELECT token_hash FROM tickets")) == 1
    assert (await browser.get("/auth/me")).status_code == 200
