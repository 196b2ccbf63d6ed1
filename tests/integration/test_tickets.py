"""Tickets: one stream or socket each, for clients that can send neither header nor cookie."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio

from support.client import Client
from support.live import Live
from tasuki.accounts.tickets import MAX_TICKETS

pytestmark = pytest.mark.asyncio(loop_scope="module")

TICKETS = "/api/v1/auth/ticket"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def watched(site: Live) -> str:
    """Where the events of a task of alice's are, which has ended; so its stream ends too."""
    user_id = await site.add_user("alice", scopes=("task:test.echo",))
    task_id = await (await site.browser(user_id)).order("test.echo", text="hi")
    await site.work()
    return f"/api/v1/tasks/{task_id}/events"


@pytest_asyncio.fixture(loop_scope="module")
async def alice(site: Live, watched: str) -> Client:
    """A browser of hers, just signed in."""
    del watched
    return await site.browser(await user_id(site, "alice"))


@pytest_asyncio.fixture(loop_scope="module")
async def nobody(site: Live) -> Client:
    """A client that has nothing but what it is given."""
    return await site.client()


async def user_id(site: Live, username: str) -> int:
    (row,) = await run(site, "SELECT id FROM users WHERE username = $1", username)
    return int(row["id"])


async def run(site: Live, statement: str, *args: Any) -> list[Any]:
    async with site.database.driver() as connection, connection.transaction():
        rows: list[Any] = await connection.fetch(statement, *args)
    return rows


async def ticket_of(client: Client) -> str:
    answer = await client.post(TICKETS)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["ticket"])


async def opened(client: httpx.AsyncClient, path: str, ticket: str, **headers: str) -> int:
    """Return the status with which a ticket opens a path."""
    answer = await client.get(path, params={"ticket": ticket}, headers=headers)
    return answer.status_code


async def test_a_ticket_opens_one_stream_and_no_second(
    alice: Client, nobody: Client, watched: str
) -> None:
    """Whoever finds it in a log later holds nothing."""
    answer = await alice.post(TICKETS)
    ticket, expires_at = answer.json()["ticket"], answer.json()["expires_at"]

    first = await nobody.get(watched, params={"ticket": ticket})
    second = await nobody.get(watched, params={"ticket": ticket})

    assert ticket.startswith("tkt_")
    left = datetime.fromisoformat(expires_at) - datetime.now(UTC)
    assert timedelta(seconds=20) < left <= timedelta(seconds=30)
    assert answer.headers["cache-control"] == "no-store"
    assert (first.status_code, "event: snapshot" in first.text) == (200, True)
    assert (second.status_code, second.json()["code"]) == (401, "not_authenticated")
    assert "POST /api/v1/auth/ticket" in second.json()["detail"]


async def test_of_many_that_come_with_one_ticket_one_is_let_in(
    alice: Client, nobody: Client, watched: str
) -> None:
    """Single use also counts for those who are quick."""
    ticket = await ticket_of(alice)

    answers = await asyncio.gather(*(opened(nobody, watched, ticket) for _ in range(12)))

    assert sorted(answers) == [200, *[401] * 11]


async def test_a_ticket_that_is_over_opens_nothing(
    site: Live, alice: Client, nobody: Client, watched: str
) -> None:
    """By the database's clock, as all who share it see the same one."""
    ticket = await ticket_of(alice)
    await run(site, "UPDATE tickets SET expires_at = now() - interval '1 second'")

    assert await opened(nobody, watched, ticket) == 401


async def test_a_ticket_is_worth_no_more_than_what_it_was_made_with(
    site: Live, alice: Client, nobody: Client, watched: str
) -> None:
    """Whoever signs out or deletes a token has no doors left open, not for half a minute."""
    token = (await alice.post("/api/v1/auth/tokens", json={"name": "ci"})).json()
    program = await site.client(Authorization=f"Bearer {token['token']}")
    by_session, by_token = await ticket_of(alice), await ticket_of(program)

    await alice.delete(f"/api/v1/auth/tokens/{token['id']}")
    await alice.post("/api/v1/auth/logout")

    assert await opened(nobody, watched, by_session) == 401
    assert await opened(nobody, watched, by_token) == 401


async def test_signing_out_ends_what_a_ticket_opened(
    alice: Client, nobody: Client, watched: str
) -> None:
    """What a ticket opened belongs to the session it came from, and hears of its end."""
    task_id = watched.split("/")[-2]
    query = {"channel": f"task:{task_id}", "ticket": await ticket_of(alice)}
    async with nobody.stream("GET", "/api/v1/events/stream", params=query) as answer:
        lines = answer.aiter_lines()
        assert (answer.status_code, (await anext(lines)).split(":")[0]) == (200, "retry")

        await alice.post("/api/v1/auth/logout")

        async with asyncio.timeout(2):
            assert [line async for line in lines if line.startswith("data:")] == []


async def test_only_streams_take_a_ticket(alice: Client, nobody: Client, watched: str) -> None:
    """Elsewhere it is as good as nothing, and does not even get used up."""
    ticket = await ticket_of(alice)
    paths = (await nobody.get("/openapi.json")).json()["paths"]
    takes = {path for path, methods in paths.items() if "ticket" in str(methods.get("get"))}

    others = {
        (method, path): await nobody.request(
            method, path.replace("{", "").replace("}", ""), params={"ticket": ticket}, json={}
        )
        for path, methods in paths.items()
        for method in methods
        if path.startswith("/api/") and (method, path) not in {("get", one) for one in takes}
    }

    assert takes == {
        "/api/v1/events/stream",
        "/api/v1/tasks/{task_id}/events",
        "/api/v1/batches/{batch_id}/events",
    }
    assert len(others) > 30
    # 422: before anybody asks who is calling; a sign-in, and a call that takes no query.
    assert {answer.status_code for answer in others.values()} == {401, 422}
    assert await opened(nobody, watched, ticket) == 200


@pytest.mark.parametrize("ticket", ["", "tkt_", "tkt_nonsense", "tsk_x", "x" * 5000, "\x00é"])
async def test_what_is_no_ticket_is_nobody_even_with_a_good_cookie(
    alice: Client, watched: str, ticket: str
) -> None:
    """A client learns that its ticket is bad, and not that it works by chance for a while."""
    assert (await alice.get(watched)).status_code == 200
    assert await opened(alice, watched, ticket) == 401


async def test_a_header_counts_before_a_ticket(
    site: Live, alice: Client, nobody: Client, watched: str
) -> None:
    """Two proofs in one request: the better one is judged, alone, and the other not used up."""
    ticket = await ticket_of(alice)
    program = await site.program(await user_id(site, "alice"))

    assert await opened(program, watched, "tkt_nonsense") == 200
    assert await opened(nobody, watched, ticket, Authorization="Bearer tsk_nonsense") == 401
    assert await opened(nobody, watched, ticket) == 200


async def test_a_ticket_gives_the_rights_of_its_user_and_no_others(
    site: Live, nobody: Client, watched: str
) -> None:
    """Somebody else's task stays as unknown as it was."""
    bob = await site.user("bob")

    assert await opened(nobody, watched, await ticket_of(bob)) == 404


async def test_a_user_holds_a_bounded_number_of_tickets(
    site: Live, nobody: Client, watched: str
) -> None:
    """A client gone wild fills no table; and also all at once it gets no more than that."""
    carol = await site.user("carol", role="admin")
    await run(
        site,
        "INSERT INTO tickets (token_hash, user_id, credential, expires_at) "
        "SELECT sha256(('carol' || n)::bytea), $1, 'session:', now() + interval '1 minute' "
        "FROM generate_series(2, $2) n",
        await user_id(site, "carol"),
        MAX_TICKETS,
    )

    answers = await asyncio.gather(*(carol.post(TICKETS) for _ in range(5)))
    made = [answer for answer in answers if answer.status_code == 201]
    refused = [answer for answer in answers if answer.status_code == 429]
    used = await opened(nobody, watched, made[0].json()["ticket"])

    assert (len(made), len(refused)) == (1, 4)
    assert (refused[0].json()["code"], refused[0].headers["retry-after"]) == ("rate_limited", "30")
    assert used == 200
    assert (await carol.post(TICKETS)).status_code == 201
