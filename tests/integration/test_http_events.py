"""Watching a task over Server-Sent Events, byte by byte and with a client library."""

import asyncio
import itertools
import re
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
import pytest_asyncio
from httpx_sse import ServerSentEvent, aconnect_sse

from support.client import Client
from support.live import Live, running_live
from support.waiting import wait_until
from tasuki.tasks import events as task_events
from tasuki.tasks.eventdata import EVENT_DATA

pytestmark = pytest.mark.asyncio(loop_scope="module")

SCOPES = tuple(f"task:test.{name}" for name in ("echo", "fail", "file", "steps", "wait"))
TASKS = "/api/v1/tasks"
numbers = itertools.count(1)


@pytest_asyncio.fixture(loop_scope="module")
async def user(site: Live) -> Client:
    """Somebody new."""
    return await site.user(f"user{next(numbers)}", scopes=SCOPES)


@dataclass
class Watch:
    """An open stream, read event by event."""

    response: httpx.Response
    events: Any

    async def next(self, *, within: float = 5) -> ServerSentEvent:
        """Return the next event."""
        async with asyncio.timeout(within):
            event: ServerSentEvent = await anext(self.events)
        return event

    async def rest(self, *, within: float = 10) -> list[ServerSentEvent]:
        """Return all events until the server ends the stream."""
        async with asyncio.timeout(within):
            return [event async for event in self.events]

    async def until(self, kind: str) -> ServerSentEvent:
        """Read on to an event of this type."""
        while (event := await self.next()).event != kind:
            pass
        return event

    @classmethod
    @asynccontextmanager
    async def of(
        cls, client: Client, task_id: str, *, last: str | None = None
    ) -> AsyncGenerator[Self]:
        """Watch a task."""
        headers = {} if last is None else {"Last-Event-ID": last}
        url = f"{TASKS}/{task_id}/events"
        async with aconnect_sse(client, "GET", url, headers=headers) as source:
            yield cls(source.response, source.aiter_sse())


async def watch_to_the_end(
    client: Client, task_id: str, *, last: str | None = None
) -> list[ServerSentEvent]:
    """Return what a watcher sees."""
    async with Watch.of(client, task_id, last=last) as watch:
        return await watch.rest()


# The form


async def test_the_stream_is_what_browsers_and_proxies_want(site: Live, user: Client) -> None:
    """The bytes themselves: one `id`, `event` and `data` line each, and a time to come back."""
    task_id = await user.order("test.echo", text="a\nb")
    await site.work()

    answer = await user.get(f"{TASKS}/{task_id}/events")

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-accel-buffering"] == "no"
    frames = answer.text.split("\n\n")
    assert frames.pop() == ""
    for number, frame in enumerate(frames):
        lines = frame.split("\n")
        if number == 0:
            assert re.fullmatch(r"retry: [123]\d\d\d", lines.pop(0))
        assert [line.partition(": ")[0] for line in lines] == ["id", "event", "data"]
        assert re.fullmatch(r"id: [\w-]+\.\d+", lines[0])


async def test_a_snapshot_comes_first_then_all_events_in_order(site: Live, user: Client) -> None:
    """From the order to the end nothing is missing, and the numbers have no hole."""
    task_id = await user.order("test.steps", count=2)

    async with Watch.of(user, task_id) as watch:
        first = await watch.next()
        await site.work()
        events = await watch.rest()

    record = first.json()["data"]
    assert first.event == "snapshot"
    assert first.json() | {"at": "", "data": {}} == {
        "task_id": task_id,
        "seq": 1,
        "type": "snapshot",
        "at": "",
        "attempt": 0,
        "data": {},
    }
    assert (record["id"], record["state"]) == (task_id, "queued")
    kinds = [event.event for event in events]
    assert (kinds[0], kinds[-1]) == ("started", "succeeded")
    assert {"progress", "log"} < set(kinds)
    assert [event.json()["seq"] for event in events] == list(range(2, len(events) + 2))
    for event in events:
        epoch, _, seq = event.id.rpartition(".")
        assert (event.event, int(seq)) == (event.json()["type"], event.json()["seq"])
        assert epoch == first.id.rpartition(".")[0]
        assert event.json()["task_id"] == task_id


async def test_the_events_carry_what_a_page_shows(site: Live, user: Client) -> None:
    """Progress, lines and the file are in the events; no page has to ask again."""
    file_id = await user.order("test.file", text="abc")
    steps_id = await user.order("test.steps", count=1)
    fail_id = await user.order("test.fail", fatal=True)
    await site.work()

    data = {}
    for task_id in (file_id, steps_id, fail_id):
        epoch = (await watch_to_the_end(user, task_id))[0].id.rpartition(".")[0]
        for event in await watch_to_the_end(user, task_id, last=f"{epoch}.0"):
            data[task_id, event.event] = event.json()["data"]
            EVENT_DATA[event.event].model_validate(event.json()["data"])

    assert data[file_id, "artifact"]["name"] == "result.txt"
    assert data[file_id, "artifact"]["size_bytes"] == 3
    assert data[steps_id, "progress"]["current"] == 1
    assert data[steps_id, "log"] == {"level": "info", "message": "line 0"}
    assert data[steps_id, "succeeded"]["result"] == 1
    assert data[fail_id, "failed"]["error"]["type"] == "Fatal"


async def test_an_ended_task_is_a_snapshot_and_its_end(site: Live, user: Client) -> None:
    """Whoever comes late sees the whole record, and the event that closes the stream."""
    task_id = await user.order("test.echo", text="x")
    await site.work()

    events = await watch_to_the_end(user, task_id)

    assert [event.event for event in events] == ["snapshot", "succeeded"]
    assert events[0].json()["data"]["state"] == "succeeded"
    assert events[1].json()["seq"] == events[0].json()["seq"] + 1


async def test_a_retry_and_a_cancel_are_seen(site: Live, user: Client) -> None:
    """Every state has its event."""
    task_id = await user.order("test.fail", until=2)

    async def run() -> bool:
        await site.work()
        return bool((await user.task(task_id))["state"] == "succeeded")

    async with Watch.of(user, task_id) as watch:
        await wait_until(run, within=10)
        retried = await watch.rest()
    kinds = [event.event for event in retried]
    waiting = await user.order("test.echo")
    async with Watch.of(user, waiting) as watch:
        await watch.next()
        await user.post(f"{TASKS}/{waiting}/cancel")
        cancelled = await watch.rest()

    assert [kind for kind in kinds if kind != "queued"] == [
        "snapshot",
        "started",
        "retrying",
        "started",
        "succeeded",
    ]
    assert [event.event for event in cancelled] == ["cancelled"]
    for event in (*retried, *cancelled):
        EVENT_DATA[event.event].model_validate(event.json()["data"])


# Coming back


async def test_a_watcher_goes_on_after_the_last_event_it_saw(site: Live, user: Client) -> None:
    """From every position exactly the rest follows: no gap, no repeat, no snapshot."""
    task_id = await user.order("test.steps", count=3)
    epoch = ""
    async with Watch.of(user, task_id) as watch:
        epoch = (await watch.next()).id.rpartition(".")[0]
        await site.work()
        seqs = [1, *(event.json()["seq"] for event in await watch.rest())]

    for seen in range(len(seqs)):
        events = await watch_to_the_end(user, task_id, last=f"{epoch}.{seen}")
        assert [event.json()["seq"] for event in events] == seqs[seen:]
        assert "snapshot" not in {event.event for event in events}


async def test_a_broken_stream_is_continued_while_the_task_runs(
    site: Live, user: Client, tmp_path: Path
) -> None:
    """A tunnel, a train, a closed lid: the second connection begins where the first broke off."""
    hold = tmp_path / "hold"
    task_id = await user.order("test.steps", count=3, hold=str(hold))
    async with AsyncExitStack() as stack:
        async with Watch.of(user, task_id) as watch:
            await watch.next()
            await stack.enter_async_context(site.working())
            seen = await watch.until("started")
        async with Watch.of(user, task_id, last=seen.id) as watch:
            hold.touch()
            rest = await watch.rest()

    assert [event.json()["seq"] for event in rest] == list(
        range(seen.json()["seq"] + 1, rest[-1].json()["seq"] + 1)
    )
    assert rest[-1].event == "succeeded"


async def test_at_the_last_event_there_is_nothing_more(site: Live, user: Client) -> None:
    """204 is the one answer after which a native EventSource stops asking."""
    task_id = await user.order("test.echo")
    await site.work()
    last = (await watch_to_the_end(user, task_id))[-1]

    answer = await user.get(f"{TASKS}/{task_id}/events", headers={"Last-Event-ID": last.id})

    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize("form", ["other-epoch.1", "{epoch}.999", "1", "{epoch}"])
async def test_a_position_of_another_history_begins_anew(
    site: Live, user: Client, form: str
) -> None:
    """After a database was restored, or with a number from nowhere, only a snapshot is true."""
    task_id = await user.order("test.echo")
    await site.work()
    epoch = (await watch_to_the_end(user, task_id))[0].id.rpartition(".")[0]

    events = await watch_to_the_end(user, task_id, last=form.format(epoch=epoch))

    assert [event.event for event in events] == ["snapshot", "succeeded"]


# Around it


async def test_a_silent_stream_is_kept_alive(
    site: Live, user: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proxies close what says nothing for a minute; a comment fires no handler anywhere."""
    monkeypatch.setattr(task_events, "HEARTBEAT_S", 0.2)
    monkeypatch.setattr(task_events, "_LOOK_EVERY_S", 0.1)
    task_id = await user.order("test.echo")

    async with user.stream("GET", f"{TASKS}/{task_id}/events") as answer:
        lines = answer.aiter_lines()
        async with asyncio.timeout(5):
            comments = [line async for line in _first(lines, 2, begins=":")]

    assert comments == [": still here", ": still here"]
    assert site.url


async def test_a_task_is_watched_where_it_was_not_ordered(site: Live, user: Client) -> None:
    """Two web processes behind one address: news travel between them, and positions hold."""
    async with running_live(site.tasuki.settings) as other:
        there = await other.client()
        there.cookies = user.cookies
        task_id = await user.order("test.steps", count=1)

        async with Watch.of(there, task_id) as watch:
            first = await watch.next()
            await site.work()
            events = await watch.rest(within=5)
        here = await watch_to_the_end(user, task_id, last=first.id)

    assert first.event == "snapshot"
    assert [event.id for event in here] == [event.id for event in events]


@pytest.mark.parametrize("how", ["logout", "session", "disabled"])
async def test_a_revoked_watcher_sees_no_more(site: Live, user: Client, how: str) -> None:
    """Signing out, losing the session, being disabled: open streams end within two seconds."""
    task_id = await user.order("test.echo")
    me = (await user.get("/api/v1/auth/me")).json()["id"]
    elsewhere = await site.browser(me)
    admin = await site.user(f"admin{next(numbers)}", role="admin")

    async with Watch.of(user, task_id) as watch:
        await watch.next()
        if how == "logout":
            await user.post("/api/v1/auth/logout")
        elif how == "session":
            sessions = (await elsewhere.get("/api/v1/auth/sessions")).json()["items"]
            for session in sessions:
                if not session["current"]:
                    await elsewhere.delete(f"/api/v1/auth/sessions/{session['id']}")
        else:
            await admin.patch(f"/api/v1/users/{me}", json={"disabled": True})
        rest = await watch.rest(within=2)

    assert rest == []
    assert (await user.get(f"{TASKS}/{task_id}/events")).status_code == 401


async def test_a_deleted_token_ends_its_stream(site: Live, user: Client) -> None:
    """A leaked token that was deleted is worth nothing at once, also where it is in use."""
    task_id = await user.order("test.echo")
    me = (await user.get("/api/v1/auth/me")).json()["id"]
    program = await site.program(me)
    token_id = (await user.get("/api/v1/auth/tokens")).json()["items"][0]["id"]

    async with Watch.of(program, task_id) as watch:
        await watch.next()
        await user.delete(f"/api/v1/auth/tokens/{token_id}")
        rest = await watch.rest(within=2)

    assert rest == []


async def test_many_watchers_see_the_same(site: Live, user: Client) -> None:
    """Every one of them the same events, in the same order."""
    task_id = await user.order("test.steps", count=2)
    watching = [asyncio.create_task(watch_to_the_end(user, task_id)) for _ in range(20)]

    async def has_begun() -> bool:
        return site.watchers(task_id) == len(watching)

    await wait_until(has_begun, within=10)
    await site.work()
    async with asyncio.timeout(10):
        seen = [[event.id for event in events] for events in await asyncio.gather(*watching)]

    assert len(seen[0]) > 3
    assert all(ids == seen[0] for ids in seen)


async def test_a_watcher_that_leaves_leaves_nothing_behind(site: Live, user: Client) -> None:
    """A hundred tabs opened and closed cost the process nothing that stays."""
    task_id = await user.order("test.echo")
    for _ in range(10):
        async with Watch.of(user, task_id) as watch:
            await watch.next()

    async def is_empty() -> bool:
        return not site.watchers(task_id)

    await wait_until(is_empty, within=5)


async def _first(lines: Any, count: int, *, begins: str) -> AsyncGenerator[str]:
    async for line in lines:
        if line.startswith(begins):
            yield line
            count -= 1
            if not count:
                return
