"""Batches over HTTP: order, see, cancel, watch; and what somebody else gets to see of it."""

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from httpx_sse import ServerSentEvent, aconnect_sse

from support.client import Client
from support.live import Live

pytestmark = pytest.mark.asyncio(loop_scope="module")

BATCHES = "/api/v1/batches"
SCOPES = tuple(f"task:test.{name}" for name in ("echo", "own", "sum_up"))
COUNTERS = ("queued", "running", "succeeded", "failed", "cancelled")
numbers = itertools.count(1)


@pytest_asyncio.fixture(loop_scope="module")
async def user(site: Live) -> Client:
    """Somebody new."""
    return await site.user(f"batcher{next(numbers)}", scopes=SCOPES)


async def order(user: Client, size: int, **more: Any) -> dict[str, Any]:
    """Order a batch of echoes and return it."""
    arguments = [{"text": str(number)} for number in range(size)]
    answer = await user.post(BATCHES, json={"name": "test.echo", "args": arguments, **more})
    assert answer.status_code == 202, answer.text
    batch: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"{BATCHES}/{batch['id']}"
    return batch


@asynccontextmanager
async def watching(user: Client, batch_id: str, *, last: str | None = None) -> AsyncGenerator[Any]:
    """Open a stream and give its events."""
    headers = {} if last is None else {"Last-Event-ID": last}
    url = f"{BATCHES}/{batch_id}/events"
    async with asyncio.timeout(15), aconnect_sse(user, "GET", url, headers=headers) as source:
        yield source.aiter_sse()


async def watch(user: Client, batch_id: str, *, last: str | None = None) -> list[ServerSentEvent]:
    """Return what a watcher sees until the end."""
    async with watching(user, batch_id, last=last) as events:
        return [event async for event in events]


# Ordering


async def test_a_batch_is_ordered_seen_and_done(site: Live, user: Client) -> None:
    """The plain case, in the shape that clients rely on."""
    batch = await order(user, 3, on_complete={"name": "test.sum_up"}, tags=["mine"])
    await site.work()

    after = (await user.get(f"{BATCHES}/{batch['id']}")).json()
    tasks = (await user.get("/api/v1/tasks", params={"batch_id": batch["id"]})).json()["items"]
    follow_up = await user.task(batch["on_complete_id"])
    assert {name: batch[name] for name in ("name", "total", "queued", "progress")} == {
        "name": "test.echo",
        "total": 3,
        "queued": 3,
        "progress": 0.0,
    }
    assert (after["succeeded"], after["progress"]) == (3, 1.0)
    assert {task["args"]["text"] for task in tasks} == {"0", "1", "2"}
    assert {tuple(task["tags"]) for task in tasks} == {("mine",)}
    assert follow_up["args"]["batch_id"] == batch["id"]


async def test_a_repeated_call_gives_the_same_batch(site: Live, user: Client) -> None:
    """As with a single task: 200 and the first one, 409 for something else."""
    body = {"name": "test.echo", "args": [{}, {}]}
    headers = {"Idempotency-Key": "once"}

    first = await user.post(BATCHES, json=body, headers=headers)
    again = await user.post(BATCHES, json=body, headers=headers)
    other = await user.post(BATCHES, json={**body, "args": [{}]}, headers=headers)

    assert [a.status_code for a in (first, again, other)] == [202, 200, 409]
    assert again.json()["id"] == first.json()["id"]
    assert other.json()["code"] == "idempotency_conflict"
    assert site.url


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "test.keep", "args": [{}]}, 403),
        ({"name": "test.echo", "args": [{}], "on_complete": {"name": "test.keep"}}, 403),
        ({"name": "test.own", "args": [{"user_id": -1}]}, 403),
        ({"name": "test.echo", "args": [{}], "on_complete": {"name": "test.own"}}, 422),
        ({"name": "test.echo", "args": []}, 422),
        ({"name": "test.echo", "args": [{}, {"text": 1}]}, 422),
        ({"name": "test.echo", "args": [{}], "unique_key": "x"}, 422),
        ({"name": "test.echo", "args": [{}], "queue": "nowhere"}, 422),
    ],
)
async def test_what_may_not_be_ordered_is_refused(
    site: Live, user: Client, body: dict[str, Any], status: int
) -> None:
    """The same rules as for one task, for each of them and for what follows."""
    answer = await user.post(BATCHES, json=body)

    assert (answer.status_code, site.url != "") == (status, True), answer.text


async def test_each_set_of_arguments_is_asked_about(site: Live, user: Client) -> None:
    """One forbidden recipient among a thousand is one too many."""
    me = (await user.get("/api/v1/auth/me")).json()["id"]
    mine = [{"user_id": me}]

    allowed = await user.post(BATCHES, json={"name": "test.own", "args": mine * 3})
    refused = await user.post(
        BATCHES, json={"name": "test.own", "args": [*mine, {"user_id": me + 1}]}
    )

    assert allowed.status_code == 202
    assert refused.status_code == 403
    assert "args[1]" in refused.json()["detail"]
    assert site.url


async def test_a_wrong_argument_is_found_by_its_number(site: Live, user: Client) -> None:
    """`loc` leads to it, as in every answer of this kind."""
    body = {"name": "test.echo", "args": [{}, {"text": 1}]}

    answer = await user.post(BATCHES, json=body)

    assert answer.json()["errors"][0]["loc"] == ["body", "args", 1, "text"]
    assert site.url


# Cancelling


async def test_a_waiting_batch_is_cancelled_at_once(site: Live, user: Client) -> None:
    """Without any worker; and once it is over there is nothing left to cancel."""
    batch = await order(user, 4)

    cancelled = await user.post(f"{BATCHES}/{batch['id']}/cancel")
    again = await user.post(f"{BATCHES}/{batch['id']}/cancel")

    assert cancelled.status_code == 202
    assert (cancelled.json()["cancelled"], cancelled.json()["progress"]) == (4, 1.0)
    assert (again.status_code, again.json()["code"]) == (409, "task_finished")
    assert site.url


# Others


@pytest.mark.parametrize("call", ["GET ", "POST /cancel", "GET /events"])
async def test_a_stranger_learns_nothing_about_a_batch(
    site: Live, user: Client, call: str
) -> None:
    """Somebody else's batch and one that never was give the same answer."""
    method, _, path = call.partition(" ")
    theirs = (await order(user, 1))["id"]
    stranger = await site.user(f"stranger{next(numbers)}", scopes=SCOPES)

    answers = [
        await stranger.request(method, f"{BATCHES}/{batch_id}{path}")
        for batch_id in (theirs, str(uuid4()))
    ]

    assert [(a.status_code, a.json()["code"]) for a in answers] == [(404, "not_found")] * 2


async def test_what_an_admin_does_with_a_batch_of_others_is_written_down(
    site: Live, user: Client
) -> None:
    """They may, and it does not stay secret."""
    batch_id = (await order(user, 1))["id"]
    admin_id = await site.add_user(f"admin{next(numbers)}", role="admin")
    admin = await site.browser(admin_id)

    await admin.get(f"{BATCHES}/{batch_id}")
    await admin.post(f"{BATCHES}/{batch_id}/cancel")
    await admin.get(f"{BATCHES}/{batch_id}/events")

    async with site.database.driver() as connection:
        rows = await connection.fetch(
            "SELECT kind FROM activity WHERE user_id = $1 AND data->>'target' = $2 ORDER BY id",
            admin_id,
            f"batch:{batch_id}",
        )
    assert [row["kind"] for row in rows] == [
        "admin.batch.read",
        "admin.batch.cancel",
        "admin.batch.watch",
    ]


# Watching


async def test_a_watcher_sees_the_numbers_grow_to_the_end(site: Live, user: Client) -> None:
    """A snapshot first, then newer numbers only, and `completed` closes the stream."""
    batch = await order(user, 300)

    async with watching(user, batch["id"]) as events:
        first = await anext(events)
        async with site.working():
            rest = [event async for event in events]

    every = [first, *rest]
    assert first.event == "snapshot"
    assert first.json()["data"]["queued"] == 300
    assert {event.event for event in rest[:-1]} <= {"progress"}
    assert rest[-1].event == "completed"
    assert rest[-1].json()["data"]["progress"] == 1.0
    seqs = [event.json()["seq"] for event in every]
    assert seqs == sorted(set(seqs))
    for event in every:
        data = event.json()["data"]
        assert sum(data[counter] for counter in COUNTERS) == 300
        assert event.id.endswith(f".{event.json()['seq']}")
        assert event.json()["batch_id"] == batch["id"]


async def test_at_most_four_events_a_second(site: Live, user: Client) -> None:
    """Many changes become few events, and the last is always among them."""
    batch = await order(user, 40)
    page = await user.get("/api/v1/tasks", params={"batch_id": batch["id"], "limit": 40})

    async with watching(user, batch["id"]) as events:
        await anext(events)
        begun = time.monotonic()
        cancelling = asyncio.create_task(cancel_one_by_one(user, page.json()["items"]))
        arrived = [(time.monotonic() - begun, event.event) async for event in events]
        await cancelling

    lasted_s, last = arrived[-1]
    assert last == "completed"
    assert len(arrived) <= lasted_s * 4 + 1
    assert site.url


async def cancel_one_by_one(user: Client, tasks: list[dict[str, Any]]) -> None:
    """Change a batch as often as it has tasks."""
    for task in tasks:
        answer = await user.post(f"/api/v1/tasks/{task['id']}/cancel")
        assert answer.status_code == 202


async def test_a_watcher_goes_on_where_it_was(site: Live, user: Client) -> None:
    """Nothing newer: it waits. Something newer: it gets that, and no snapshot again."""
    batch = await order(user, 2)
    async with watching(user, batch["id"]) as events:
        seen = await anext(events)

    async with watching(user, batch["id"], last=seen.id) as events:
        first = asyncio.create_task(anext(events))
        done, _ = await asyncio.wait({first}, timeout=0.6)
        assert not done
        await site.work()
        assert (await first).event in {"progress", "completed"}


async def test_after_the_end_there_is_nothing_more(site: Live, user: Client) -> None:
    """Who saw `completed` gets 204, which stops an EventSource; who did not gets it now."""
    batch = await order(user, 1)
    async with watching(user, batch["id"]) as events:
        seen = await anext(events)
    await site.work()
    late = await watch(user, batch["id"])
    resumed = await watch(user, batch["id"], last=seen.id)
    over = await user.get(
        f"{BATCHES}/{batch['id']}/events", headers={"Last-Event-ID": resumed[-1].id}
    )

    assert [event.event for event in late] == ["snapshot", "completed"]
    assert [event.event for event in resumed] == ["completed"]
    assert late[-1].id == resumed[-1].id
    assert (over.status_code, over.content) == (204, b"")


@pytest.mark.parametrize("last", ["other-epoch.1", "{epoch}.999999", "1", "x" * 100])
async def test_a_position_from_nowhere_begins_anew(site: Live, user: Client, last: str) -> None:
    """Only a snapshot is true then."""
    batch = await order(user, 1)
    await site.work()
    epoch = (await watch(user, batch["id"]))[0].id.rpartition(".")[0]

    events = await watch(user, batch["id"], last=last.format(epoch=epoch))

    assert [event.event for event in events] == ["snapshot", "completed"]
