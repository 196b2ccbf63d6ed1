"""Ordering again what did not succeed: one task, many, by HTTP and on the command line."""

import asyncio
import itertools
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from support import jobs
from support.client import Client
from support.engine import Bench
from support.live import Live
from tasuki.core.database import Database
from tasuki.core.errors import Conflict
from tasuki.tasks import TaskRecord
from tasuki.tasks.errors import TaskAlreadyRunning, TaskNotFinished, TaskNotFound
from tasuki.tasks.records import TaskFilter
from tasuki.tasks.replays import ReplayWanted
from tasuki.tasks.replays import repository as replay_rows
from tasuki.tasks.replays.tasks import replay as replay_many
from tasuki.tasks.settings import TasksSettings
from tasuki.tasks.states import State

OWNER = 7
TASKS = "/api/v1/tasks"
numbers = itertools.count(1)


@pytest.fixture
async def bench(database: Database, tmp_path: Path) -> AsyncGenerator[Bench]:
    """An engine with short times, and a heart that beats."""
    made = Bench(database, tmp_path, TasksSettings(lease_s=2, cancel_grace_s=0.3))
    made.catalogue.add(replay_many)
    beating = asyncio.create_task(made.runner.beat_for_ever())
    yield made
    beating.cancel()


async def replay(bench: Bench, task_id: UUID, *, owner_id: int | None = None) -> UUID:
    """Order a task again in a transaction of its own."""
    async with bench.database.unit_of_work() as session:
        return (await bench.replays.replay(session, task_id, owner_id=owner_id)).id


async def replay_all(bench: Bench, **wanted: Any) -> TaskRecord:
    """Order many again, as the task does that is made for it."""
    handle = await bench.order(replay_many, wanted=ReplayWanted(**wanted).model_dump(mode="json"))
    await bench.run_due("cleanup")
    return await bench.record(handle.id)


async def replays_of(bench: Bench, *task_ids: UUID) -> list[TaskRecord]:
    """Return the tasks that replay these."""
    async with bench.database.unit_of_work() as session:
        found = await bench.service.page(session, TaskFilter(), before=None, limit=10_000)
    return [task for task in found if task.replay_of in task_ids]


async def failed(bench: Bench, *tasks: Any) -> list[UUID]:
    """Order tasks that fail, and let them."""
    ids = [(await bench.order(task, fatal=True)).id for task in tasks]
    await bench.run_due()
    return ids


# One


async def test_a_failed_task_is_ordered_again(bench: Bench) -> None:
    """The same work for the same owner, and it says whose replay it is."""
    task = jobs.fail.having(owner_id=OWNER, priority=7, tags=("a", "b"))
    (old,) = await failed(bench, task)

    new = await replay(bench, old, owner_id=OWNER)

    before, after = await bench.record(old), await bench.record(new)
    for name in ("name", "args", "queue", "lane", "priority", "tags", "owner_id", "max_attempts"):
        assert getattr(after, name) == getattr(before, name)
    assert (after.replay_of, after.state, after.attempt) == (old, State.QUEUED, 0)
    assert before.state is State.FAILED
    assert [event.type for event in await bench.events(new)] == ["queued"]
    assert await bench.run_due() == 1


async def test_only_what_ended_badly_can_be_replayed(bench: Bench) -> None:
    """What waits will run anyway, and what succeeded was done."""
    done = (await bench.order(jobs.echo)).id
    await bench.run_due()
    waiting = (await bench.order(jobs.echo)).id

    with pytest.raises(Conflict) as refused:
        await replay(bench, done)
    with pytest.raises(TaskNotFinished):
        await replay(bench, waiting)
    await bench.cancel(waiting)
    assert (await bench.record(await replay(bench, waiting))).state is State.QUEUED
    assert refused.value.code == "conflict"


async def test_a_replay_is_as_unique_as_the_first(bench: Bench) -> None:
    """A key that two tasks must not hold at once is not held by two because of a replay."""
    task = jobs.fail.having(unique_key="one")
    (old,) = await failed(bench, task)
    await bench.order(task)

    with pytest.raises(TaskAlreadyRunning):
        await replay(bench, old)


async def test_somebody_elses_task_is_not_replayed(bench: Bench) -> None:
    """It looks as if there were none."""
    (old,) = await failed(bench, jobs.fail.having(owner_id=OWNER))

    for task_id in (old, uuid4()):
        with pytest.raises(TaskNotFound):
            await replay(bench, task_id, owner_id=OWNER + 1)


async def test_a_replay_leaves_its_batch_alone(bench: Bench) -> None:
    """The batch was counted to its end; it does not begin anew."""
    batch_id = await bench.order_batch(jobs.fail, [{"fatal": True}])
    await bench.run_due()
    (task,) = await bench.tasks_of(batch_id)

    new = await replay(bench, task.id)

    assert (await bench.record(new)).batch_id is None
    assert (await bench.batch(batch_id)).total == 1


# Many


async def test_all_that_fit_are_replayed_once(bench: Bench) -> None:
    """A filter chooses; a second time there is nothing left to do."""
    mine = await failed(bench, *[jobs.fail.having(tags=("x",), owner_id=OWNER)] * 5)
    others = await failed(bench, jobs.fail, jobs.fail.having(tags=("x",)))

    first = await replay_all(bench, tag="x", owner_id=OWNER)
    again = await replay_all(bench, tag="x", owner_id=OWNER)

    assert first.result == {"replayed": 5, "skipped": 0}
    assert again.result == {"replayed": 0, "skipped": 0}
    assert first.progress is not None
    assert (first.progress["current"], first.progress["total"]) == (5, 5)
    assert {task.replay_of for task in await replays_of(bench, *mine)} == set(mine)
    assert await replays_of(bench, *others) == []


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        ({}, 4),
        ({"state": "cancelled"}, 1),
        ({"state": "crashed"}, 0),
        ({"name": "test.fail"}, 2),
        ({"queue": "email"}, 1),
        ({"limit": 3}, 3),
    ],
)
async def test_each_filter_counts(bench: Bench, wanted: dict[str, Any], count: int) -> None:
    """What is left out does not matter; of too many the oldest are taken."""
    await failed(bench, jobs.fail, jobs.fail)
    for task in (jobs.echo.having(queue="email"), jobs.slow):
        handle = await bench.order(task)
        if task.name == "test.echo":
            await bench.cancel(handle.id)
    await bench.run_due()
    await bench.order(jobs.echo)  # unfinished
    await bench.run_due()  # succeeded

    record = await replay_all(bench, **wanted)

    assert record.result == {"replayed": count, "skipped": 0}


async def test_only_the_tasks_of_a_batch_are_replayed(bench: Bench) -> None:
    """The usual case: the five of ten thousand that failed."""
    batch_id = await bench.order_batch(jobs.fail, [{"fatal": True}, {"until": 1}])
    await failed(bench, jobs.fail)

    record = await replay_all(bench, batch_id=batch_id)

    assert record.result == {"replayed": 1, "skipped": 0}


async def test_many_at_a_time_replay_each_task_once(bench: Bench) -> None:
    """Two operators, or an attempt that was thought dead: a task never comes back twice."""
    old = await failed(bench, *[jobs.fail] * 60)
    bound = (await bench.order(jobs.echo)).id
    wanted = ReplayWanted()

    async def lot() -> int:
        async with bench.database.unit_of_work() as session:
            done = await bench.replays.replay_lot(
                session, wanted, after=UUID(int=0), before=bound, most=40
            )
        return done.replayed

    counts = await asyncio.gather(*(lot() for _ in range(4)))
    counts.append(await lot())

    replayed = await replays_of(bench, *old)
    assert sum(counts) == len(replayed) == 60
    assert len({task.replay_of for task in replayed}) == 60


async def test_a_replay_of_many_does_not_meet_its_own_tasks(bench: Bench) -> None:
    """What fails again while it goes on is for the next time, or it would never end."""
    await failed(bench, jobs.fail)
    first = await replay_all(bench)
    await bench.run_due()
    second = await replay_all(bench)

    assert first.result == second.result == {"replayed": 1, "skipped": 0}


# By HTTP


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scopes() -> tuple[str, ...]:
    """What the users of these tests may order."""
    return ("task:test.fail", "task:test.echo", "task:tasks.replay")


@pytest.mark.asyncio(loop_scope="module")
async def test_one_is_replayed_by_http(site: Live, scopes: tuple[str, ...]) -> None:
    """202 and where to find the new one; for an admin it is written down."""
    user = await site.user(f"replayer{next(numbers)}", scopes=scopes)
    admin_id = await site.add_user(f"chief{next(numbers)}", role="admin")
    admin = await site.browser(admin_id)
    old = await user.order("test.fail", fatal=True)
    await site.work()

    mine = await user.post(f"{TASKS}/{old}/replay")
    theirs = await admin.post(f"{TASKS}/{old}/replay")

    assert mine.status_code == theirs.status_code == 202
    assert mine.headers["location"] == f"{TASKS}/{mine.json()['id']}"
    assert mine.json()["replay_of"] == theirs.json()["replay_of"] == old
    assert theirs.json()["owner_id"] == mine.json()["owner_id"]
    async with site.database.driver() as connection:
        kind = await connection.fetchval(
            "SELECT kind FROM activity WHERE user_id = $1 AND data->>'target' = $2",
            admin_id,
            f"task:{old}",
        )
    assert kind == "admin.task.replay"


@pytest.mark.asyncio(loop_scope="module")
async def test_many_are_replayed_by_http(site: Live, scopes: tuple[str, ...]) -> None:
    """A task does it, for one's own tasks only, and one can watch it; one at a time."""
    user = await site.user(f"replayer{next(numbers)}", scopes=scopes)
    other = await site.user(f"replayer{next(numbers)}", scopes=scopes)
    for client in (user, user, other):
        await client.order("test.fail", fatal=True)
    await site.work()

    accepted = await user.post(f"{TASKS}/replay", json={"state": "failed", "name": "test.fail"})
    twice = await user.post(f"{TASKS}/replay", json={})
    await site.work("cleanup")

    assert accepted.status_code == 202
    assert (twice.status_code, twice.json()["code"]) == (409, "task_already_running")
    record = await user.task(accepted.headers["location"].rpartition("/")[2])
    assert record["result"] == {"replayed": 2, "skipped": 0}


@pytest.mark.asyncio(loop_scope="module")
async def test_nobody_replays_the_tasks_of_others_by_name(
    site: Live, scopes: tuple[str, ...]
) -> None:
    """The task behind it can be ordered by name; whose tasks it is about is not free."""
    user = await site.user(f"replayer{next(numbers)}", scopes=scopes)
    body = {"name": "tasks.replay", "args": {"wanted": {"owner_id": None}}}

    assert (await user.post(TASKS, json=body)).status_code == 403


@pytest.mark.parametrize(
    "body", [{"state": "succeeded"}, {"state": []}, {"limit": 0}, {"nome": "x"}]
)
@pytest.mark.asyncio(loop_scope="module")
async def test_a_filter_that_means_nothing_is_refused(
    site: Live, scopes: tuple[str, ...], body: dict[str, Any]
) -> None:
    """Above all a misspelt one, which would replay everything."""
    user = await site.user(f"replayer{next(numbers)}", scopes=scopes)

    assert (await user.post(f"{TASKS}/replay", json=body)).status_code == 422


# What did not succeed


@pytest.mark.asyncio(loop_scope="module")
async def test_failures_are_listed_until_they_are_replayed(
    site: Live, scopes: tuple[str, ...]
) -> None:
    """The list is what is left to do; newest first, page by page, and never somebody else's."""
    user = await site.user(f"replayer{next(numbers)}", scopes=scopes)
    other = await site.user(f"replayer{next(numbers)}", scopes=scopes)
    old = [await user.order("test.fail", fatal=True) for _ in range(3)]
    cancelled = await user.order("test.echo")
    await user.post(f"{TASKS}/{cancelled}/cancel")
    await other.order("test.fail", fatal=True)
    await site.work()

    assert await failures(user, limit=2) == [cancelled, *reversed(old)]
    await user.post(f"{TASKS}/{old[1]}/replay")

    assert await failures(user) == [cancelled, old[2], old[0]]
    assert await failures(user, state=["failed", "crashed"], name="test.fail") == [old[2], old[0]]
    assert await failures(user, state="cancelled") == [cancelled]
    assert await failures(user, error_type="Fatal", limit=1) == [old[2], old[0]]
    assert await failures(user, since="2999-01-01T00:00:00Z") == []


async def failures(user: Client, **query: Any) -> list[str]:
    """Return the ids of all pages."""
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await user.get(f"{TASKS}/failures", params={**query, **cursor})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += [task["id"] for task in page["items"]]
        if page["next"] is None:
            return found
        cursor = {"cursor": page["next"]}


@pytest.mark.asyncio(loop_scope="module")
async def test_failures_are_counted_by_name_and_error(
    site: Live, scopes: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two thousand failures are usually two mistakes; one look must tell."""
    user = await site.user(f"replayer{next(numbers)}", scopes=scopes)
    old = [await user.order("test.fail", fatal=True) for _ in range(3)]
    cancelled = await user.order("test.echo")
    await user.post(f"{TASKS}/{cancelled}/cancel")
    await site.work()

    everything = (await user.get(f"{TASKS}/failures/groups")).json()
    failed_only = (await user.get(f"{TASKS}/failures/groups?state=failed")).json()
    monkeypatch.setattr(replay_rows, "_MOST_COUNTED", 2)
    cut = (await user.get(f"{TASKS}/failures/groups")).json()

    assert (everything["total"], everything["is_more"]) == (4, False)
    assert [(one["name"], one["error_type"], one["count"]) for one in everything["items"]] == [
        ("test.fail", "Fatal", 3),
        ("test.echo", "Cancelled", 1),
    ]
    assert everything["items"][0]["last_id"] == old[-1]
    assert everything["items"][0]["last_message"] == "no use"
    assert [one["count"] for one in failed_only["items"]] == [3]
    assert (cut["total"], cut["is_more"]) == (2, True)


@pytest.mark.asyncio(loop_scope="module")
async def test_one_kind_of_error_is_replayed_and_found_by_its_replays(
    site: Live, scopes: tuple[str, ...]
) -> None:
    """The cause of one error is mended; what failed for another reason stays as it is."""
    user = await site.user(f"replayer{next(numbers)}", scopes=scopes)
    old = await user.order("test.fail", fatal=True)
    cancelled = await user.order("test.echo")
    await user.post(f"{TASKS}/{cancelled}/cancel")
    await site.work()

    order = {"state": ["failed", "crashed"], "error_type": "Fatal"}
    accepted = await user.post(f"{TASKS}/replay", json=order)
    await site.work("cleanup")

    record = await user.task(accepted.json()["id"])
    assert record["result"] == {"replayed": 1, "skipped": 0}
    found = (await user.get(TASKS, params={"replay_of": old})).json()["items"]
    assert [task["replay_of"] for task in found] == [old]
    assert await failures(user) == [cancelled]


# On the command line


async def test_the_command_replays_by_id_and_by_filter(live: Live) -> None:
    """With an operator's rights; what it prints can be watched."""
    user = await live.user("somebody", scopes=("task:test.fail",))
    old = [await user.order("test.fail", fatal=True) for _ in range(3)]
    await live.work()

    by_id = await live.command("task", "replay", old[0])
    by_filter = await live.command("task", "replay", "--state", "failed", "--name", "test.fail")
    await live.work("cleanup")

    assert (await user.task(by_id.strip()))["replay_of"] == old[0]
    admin = await live.user("boss", role="admin")
    record = await admin.task(by_filter.split()[-1])
    assert record["result"] == {"replayed": 2, "skipped": 0}
    for wrong in ([], [old[0], "--state", "failed"], ["--state", "succeeded"]):
        await live.command("task", "replay", *wrong, code=2)
