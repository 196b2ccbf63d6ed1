"""Signing in, and all that follows from it, over HTTP and on a real PostgreSQL."""

from collections.abc import AsyncGenerator

import pytest

from support.accounts import PASSWORD, Site, outcome, sign_in
from tasuki.accounts import AccountsSettings
from tasuki.core.database import Database


@pytest.fixture
async def site(database: Database) -> AsyncGenerator[Site]:
    site = Site(database)
    yield site
    await site.close()


# Sessions


async def test_a_user_signs_in_looks_at_themselves_and_signs_out(site: Site) -> None:
    """The whole life of a session, and the cookie is worthless after it."""
    user_id = await site.add("hanako")
    browser = site.browser()

    signed_in = await sign_in(browser, "Hanako")
    cookie = dict(browser.cookies)
    me = await browser.get("/auth/me")
    signed_out = await browser.post("/auth/logout")
    browser.cookies.update(cookie)
    after = await browser.get("/auth/me")

    assert signed_in.status_code == 200
    assert signed_in.json() == me.json()
    assert me.json() | {"created_at": ""} == {
        "id": user_id,
        "username": "hanako",
        "name": "",
        "email": "hanako@example.org",
        "email_verified": False,
        "role": "user",
        "scopes": [],
        "disabled": False,
        "created_at": "",
    }
    assert signed_out.status_code == 204
    assert outcome(after) == (401, "not_authenticated")


async def test_the_cookie_is_kept_from_scripts_and_other_sites(site: Site) -> None:
    """A script that gets injected cannot read the session; another site's form cannot use it."""
    await site.add("hanako")

    cookie = (await sign_in(site.browser(), "hanako")).headers["set-cookie"]

    name, *marks = [part.strip().lower() for part in cookie.split(";")]
    assert name.startswith("tasuki_session=")
    assert {"httponly", "path=/", "samesite=lax", "max-age=1209600"} == set(marks)


async def test_over_tls_the_cookie_is_bound_to_the_host(database: Database) -> None:
    """A neighbouring host, or somebody on a plain connection, can neither set nor read it."""
    site = Site(database, public_url="https://tasuki.example")
    await site.add("hanako")
    browser = site.browser()

    cookie = (await sign_in(browser, "hanako")).headers["set-cookie"]
    signed_in = await browser.get("/auth/me")
    secret = cookie.partition("=")[2].partition(";")[0]
    under_the_plain_name = await site.browser().get(
        "/auth/me", headers={"Cookie": f"tasuki_session={secret}"}
    )
    await site.close()

    assert cookie.startswith("__Host-tasuki_session=")
    assert "; Secure" in cookie
    assert signed_in.status_code == 200
    assert under_the_plain_name.status_code == 401


async def test_every_sign_in_makes_a_new_session_and_ends_the_one_before(site: Site) -> None:
    """A session that somebody planted or kept before the sign-in is worth nothing after it."""
    await site.add("hanako")
    browser = await site.signed_in("hanako")
    before = browser.cookies["tasuki_session"]

    await sign_in(browser, "hanako")
    old = await site.browser().get("/auth/me", headers={"Cookie": f"tasuki_session={before}"})

    assert browser.cookies["tasuki_session"] != before
    assert old.status_code == 401


async def test_a_session_is_listed_and_ended_from_another_browser(site: Site) -> None:
    """Who lost a laptop signs it out at once, and open streams are told to look again."""
    await site.add("hanako")
    laptop, phone = await site.signed_in("hanako"), await site.signed_in("hanako")

    listed = (await phone.get("/auth/sessions")).json()["items"]
    lost = next(session for session in listed if not session["current"])
    ended = await phone.delete(f"/auth/sessions/{lost['id']}")

    assert [session["current"] for session in listed] == [True, False]
    assert lost["address"] == "192.0.2.1"
    assert lost["user_agent"].startswith("python-httpx")
    assert ended.status_code == 204
    assert (await laptop.get("/auth/me")).status_code == 401
    assert (await phone.get("/auth/me")).status_code == 200
    assert site.notices.sent == [f"credential:session:{lost['id']}"]


async def test_sessions_and_tokens_of_others_do_not_exist(site: Site) -> None:
    """Ids cannot be probed: another's id answers as one that never was."""
    await site.add("hanako")
    await site.add("taro")
    hers, his = await site.signed_in("hanako"), await site.signed_in("taro")
    session_id = (await hers.get("/auth/sessions")).json()["items"][0]["id"]
    token_id = (await hers.post("/auth/tokens", json={"name": "hers"})).json()["id"]

    for path in (
        f"/auth/sessions/{session_id}",
        f"/auth/sessions/{token_id}",
        f"/auth/tokens/{token_id}",
        f"/auth/tokens/{session_id}",
    ):
        assert outcome(await his.delete(path)) == (404, "not_found")
    assert (await hers.get("/auth/me")).status_code == 200
    assert len((await hers.get("/auth/tokens")).json()["items"]) == 1


# Refusals


async def test_a_refused_sign_in_does_not_tell_why(site: Site) -> None:
    """Same words and same work for everybody, so that nobody can find out who has an account."""
    await site.add("hanako")
    await site.add("nopassword", password=None)
    disabled = await site.add("disabled")
    async with site.database.unit_of_work() as session:
        await site.users.change(session, disabled, disabled=True)

    answers = []
    for name in ("hanako", "nobody", "nopassword", "disabled", "not a \x00 name!", ""):
        before = site.passwords.checks
        password = "wrong password" if name == "hanako" else PASSWORD
        answers.append(await sign_in(site.browser(), name, password))
        assert site.passwords.checks == before + 1, f"{name!r} did not cost one check"

    problems = [answer.json() | {"error_id": ""} for answer in answers]
    assert {answer.status_code for answer in answers} == {401}
    assert all(problem == problems[0] for problem in problems)
    assert problems[0]["code"] == "invalid_credentials"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_another_site_cannot_sign_a_browser_in(site: Site, headers: dict[str, str]) -> None:
    """Else a page could sign its visitor into the attacker's account and watch what they do."""
    await site.add("hanako")

    answer = await site.browser().post(
        "/auth/login", json={"username": "hanako", "password": PASSWORD}, headers=headers
    )

    assert outcome(answer) == (403, "forbidden")
    assert "set-cookie" not in answer.headers


async def test_a_form_is_no_sign_in(site: Site) -> None:
    """A form is what another site can send without being asked first."""
    await site.add("hanako")

    answer = await site.browser().post(
        "/auth/login", data={"username": "hanako", "password": PASSWORD}
    )

    assert outcome(answer) == (415, "unsupported_media_type")


async def test_an_invalid_body_is_not_repeated_in_the_answer(site: Site) -> None:
    """Answers end up in logs; a password in the wrong field must not."""
    answer = await site.browser().post(
        "/auth/login", json={"username": "hanako", "pasword": "canary-secret"}
    )

    assert outcome(answer) == (422, "validation_failed")
    assert "canary-secret" not in answer.text


async def test_wrong_sign_ins_are_limited_in_all_processes_together(database: Database) -> None:
    """Guesses spread over the web processes count as one row of guesses."""
    settings = AccountsSettings(login_failures_per_account_and_address=3)
    one, other = Site(database, settings=settings), Site(database, settings=settings)
    await one.add("hanako")
    await one.add("taro")

    wrong = [await sign_in(site.browser(), "hanako", "wrong") for site in (one, other, one)]
    checks = one.passwords.checks + other.passwords.checks
    limited = await sign_in(other.browser(), "HANAKO")

    assert [answer.status_code for answer in wrong] == [401, 401, 401]
    assert outcome(limited) == (429, "rate_limited")
    assert 1 <= int(limited.headers["retry-after"]) <= settings.login_window_s
    assert one.passwords.checks + other.passwords.checks == checks, "a limit that hashes is none"
    elsewhere = await sign_in(one.browser(address="198.51.100.7"), "hanako")
    somebody_else = await sign_in(one.browser(), "taro")
    assert (elsewhere.status_code, somebody_else.status_code) == (200, 200)
    await one.close()
    await other.close()


async def test_an_address_is_limited_over_all_accounts(database: Database) -> None:
    """Trying one common password on everybody is guessing, too."""
    site = Site(database, settings=AccountsSettings(login_failures_per_address=3))
    await site.add("hanako")
    addresses = ("2001:db8::1", "2001:db8::ffff", "2001:db8::2:1")

    for number, address in enumerate(addresses):
        await sign_in(site.browser(address=address), f"user{number}", "Password1")
    limited = await sign_in(site.browser(address="2001:db8::99"), "hanako")
    another_network = await sign_in(site.browser(address="2001:db8:1::1"), "hanako")
    await site.close()

    assert outcome(limited) == (429, "rate_limited")
    assert another_network.status_code == 200


async def test_right_passwords_are_never_counted(database: Database) -> None:
    """A script that signs in all day is no attack."""
    settings = AccountsSettings(login_failures_per_account_and_address=2)
    site = Site(database, settings=settings)
    await site.add("hanako")

    answers = [await sign_in(site.browser(), "hanako") for _ in range(5)]
    await site.close()

    assert [answer.status_code for answer in answers] == [200] * 5


# Passwords


async def test_a_new_password_ends_all_other_sessions(site: Site) -> None:
    """Who fears that somebody knows the password gets rid of them by changing it."""
    await site.add("hanako")
    here, there = await site.signed_in("hanako"), await site.signed_in("hanako")

    changed = await here.post("/auth/password", json={"old": PASSWORD, "new": "新しいパスワード"})

    assert changed.status_code == 204
    assert (await here.get("/auth/me")).status_code == 200
    assert (await there.get("/auth/me")).status_code == 401
    assert (await sign_in(site.browser(), "hanako")).status_code == 401
    assert (await sign_in(site.browser(), "hanako", "新しいパスワード")).status_code == 200
    assert len(site.notices.sent) == 1


async def test_a_wrong_old_password_counts_as_a_wrong_sign_in(database: Database) -> None:
    """A stolen session is no place to guess the password from."""
    settings = AccountsSettings(login_failures_per_account_and_address=2)
    site = Site(database, settings=settings)
    await site.add("hanako")
    browser = await site.signed_in("hanako")

    body = {"old": "wrong", "new": "long enough"}
    answers = [await browser.post("/auth/password", json=body) for _ in range(3)]
    await site.close()

    assert [outcome(answer) for answer in answers] == [
        (401, "invalid_credentials"),
        (401, "invalid_credentials"),
        (429, "rate_limited"),
    ]


@pytest.mark.parametrize("new", ["short", "x" * 129, "hanako12"])
async def test_a_weak_new_password_is_refused_before_anything_is_checked(
    site: Site, new: str
) -> None:
    """Too short, too long, or the username itself; the answer does not repeat it."""
    await site.add("hanako12")
    browser = await site.signed_in("hanako12")
    checks = site.passwords.checks

    answer = await browser.post("/auth/password", json={"old": PASSWORD, "new": new})

    assert outcome(answer) == (422, "validation_failed")
    assert answer.json()["errors"][0]["loc"] == ["body", "new"]
    assert site.passwords.checks == checks


# Tokens


async def test_a_token_is_shown_once_works_and_stops_at_once(site: Site) -> None:
    """Programs act as their user until the token is deleted."""
    await site.add("hanako")
    browser = await site.signed_in("hanako")

    created = await browser.post("/auth/tokens", json={"name": " deploy "})
    token = created.json()["token"]
    program = site.browser(token=token)
    me = await program.get("/auth/me")
    listed = (await program.get("/auth/tokens")).json()
    deleted = await browser.delete(f"/auth/tokens/{created.json()['id']}")

    assert created.status_code == 201
    assert created.json()["name"] == "deploy"
    assert token.startswith("tsk_")
    assert me.json()["username"] == "hanako"
    assert token not in str(listed)
    assert listed["next"] is None
    assert listed["items"][0]["last_used_at"] is not None
    assert deleted.status_code == 204
    assert (await program.get("/auth/me")).status_code == 401
    assert site.notices.sent == [f"credential:token:{created.json()['id']}"]


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer tsk_", "Bearer nonsense", "Basic dGVzdDp0ZXN0", "tsk_x"]
)
async def test_a_malformed_authorization_is_nobody_even_with_a_good_cookie(
    site: Site, header: str
) -> None:
    """The cross-site check trusts requests with this header not to live on the cookie."""
    await site.add("hanako")
    browser = await site.signed_in("hanako")

    answer = await browser.get("/auth/me", headers={"Authorization": header})

    assert outcome(answer) == (401, "not_authenticated")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_token_has_no_session_to_sign_out_of(site: Site) -> None:
    """A program that signs out is told what it means to do."""
    await site.add("hanako")
    browser = await site.signed_in("hanako")
    token = (await browser.post("/auth/tokens", json={"name": "ci"})).json()["token"]

    answer = await site.browser(token=token).post("/auth/logout")

    assert outcome(answer) == (403, "forbidden")
