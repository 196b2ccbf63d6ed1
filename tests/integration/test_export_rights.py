"""Rights to other people's rows, when an export comes by another way or at another time.

One system for all tests of this module; each brings users of its own.
"""

import itertools
from collections.abc import AsyncGenerator
from typing import Any

import pytest
import pytest_asyncio

from support.client import Client
from support.live import Live, live_settings, running_live
from support.servers import Servers
from tasuki.exports.tasks import run_export
from tasuki.tasks import TaskService
from tasuki.tasks.replays import ReplayService

pytestmark = pytest.mark.asyncio(loop_scope="module")

TASKS = "/api/v1/tasks"
ALL_USERS: dict[str, Any] = {"dataset": "users", "rows_of": None, "format": "json"}
numbers = itertools.count(1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Live]:
    """A system with a module of its own, which declares datasets with a scope of their own."""
    database_url = await servers.create_database()
    settings = live_settings(
        database_url,
        servers.redis_url,
        tmp_path_factory.mktemp("rights"),
        modules=("support.jobs", "support.cells"),
    )
    async with running_live(settings) as live:
        yield live
    await servers.drop_database(database_url)


@pytest_asyncio.fixture(loop_scope="module")
async def admin(site: Live) -> Client:
    """An admin."""
    return await site.user(f"admin{next(numbers)}", role="admin")


@pytest_asyncio.fixture(loop_scope="module")
async def reader(site: Live) -> Client:
    """Somebody who may export users, so far."""
    return await site.user(f"reader{next(numbers)}", scopes=("export:pii",))


async def id_of(client: Client) -> int:
    return int((await client.get("/api/v1/auth/me")).json()["id"])


async def take_away(admin: Client, client: Client) -> None:
    """Take all scopes of a user."""
    answer = await admin.patch(f"/api/v1/users/{await id_of(client)}", json={"scopes": []})
    assert answer.status_code == 200, answer.text


async def cancelled_export(client: Client) -> str:
    """Order all users and cancel that before it runs."""
    task_id = (await client.post("/api/v1/exports/users", json={})).json()["id"]
    await client.post(f"{TASKS}/{task_id}/cancel")
    return str(task_id)


async def newest(client: Client) -> dict[str, Any]:
    """Return the newest export of a client."""
    found: dict[str, Any] = (await client.get(f"{TASKS}?name=exports.run")).json()["items"][0]
    return found


@pytest.mark.parametrize("is_of_all", [False, True])
async def test_a_replay_asks_for_the_right_anew(
    site: Live, admin: Client, reader: Client, *, is_of_all: bool
) -> None:
    """An order of the time before would be a key that nobody can take away."""
    task_id = await cancelled_export(reader)
    await take_away(admin, reader)

    if is_of_all:
        await reader.post(f"{TASKS}/replay", json={"name": "exports.run"})
        await site.work("cleanup")
    else:
        await reader.post(f"{TASKS}/{task_id}/replay")
    await site.work("reports")

    task = await newest(reader)
    assert task["replay_of"] == task_id
    assert (task["state"], task["error"]["type"]) == ("failed", "Forbidden")
    assert task["artifact"] is None


async def test_a_replay_works_for_who_still_may(site: Live, reader: Client) -> None:
    """The other half of it, or the first would prove nothing."""
    task_id = await cancelled_export(reader)
    await reader.post(f"{TASKS}/{task_id}/replay")
    await site.work("reports")

    assert (await newest(reader))["state"] == "succeeded"


async def test_an_order_that_waited_asks_for_the_right_when_it_runs(
    site: Live, admin: Client, reader: Client
) -> None:
    """A queue may be long; what counts is now."""
    await reader.post("/api/v1/exports/users", json={})
    await take_away(admin, reader)
    await site.work("reports")

    assert (await newest(reader))["error"]["type"] == "Forbidden"


async def test_a_file_of_others_rows_is_not_given_again_without_the_right(
    admin: Client, reader: Client
) -> None:
    """The file of a download stays for an hour; a right that is taken away counts at once."""
    answer = await reader.get("/api/v1/exports/users")
    own = await reader.get("/api/v1/exports/activity")
    before = await reader.get(answer.headers["content-location"])
    await take_away(admin, reader)

    after = await reader.get(answer.headers["content-location"])

    assert (before.status_code, after.status_code) == (200, 403)
    assert (await reader.get(own.headers["content-location"])).status_code == 200


async def test_ordered_by_name_an_export_is_of_ones_own_rows(site: Live, admin: Client) -> None:
    """The scope to order it is none to read what others did; for an admin it is written down."""
    client = await site.user(f"plain{next(numbers)}", scopes=("task:exports.run",))
    me = await id_of(client)

    refused = [
        await client.post(TASKS, json={"name": "exports.run", "args": ALL_USERS | more})
        for more in ({}, {"rows_of": me + 1}, {"dataset": "activity"})
    ]
    await client.post("/api/v1/activity", json={"kind": "post"})
    await client.order("exports.run", **ALL_USERS | {"dataset": "activity", "rows_of": me})
    nothing = await client.order("exports.run", **ALL_USERS | {"rows_of": me})
    by_admin = await admin.order("exports.run", **ALL_USERS)
    await site.work("reports")

    assert {answer.status_code for answer in refused} == {403}
    assert (await client.get(f"{TASKS}/{nothing}/result")).json() == []
    assert len((await admin.get(f"{TASKS}/{by_admin}/result")).json()) > 1
    assert "users" in await last_deed(site, admin)


async def test_users_of_an_application_of_ones_own_replay_only_what_is_theirs(
    site: Live, admin: Client
) -> None:
    """What they may is told by each request, and a replay is none that asks for rows."""
    order = run_export.having(owner_id=1_000_000_000)
    async with site.database.unit_of_work() as session:
        first = await site.tasuki.enqueue(session, order, dataset="users", rows_of=None)
        again = await site.tasuki.enqueue(session, order, dataset="users", rows_of=None)
        await site.tasuki.services.get(TaskService).cancel(session, again.id, owner_id=None)
    async with site.database.unit_of_work() as session:
        replays = site.tasuki.services.get(ReplayService)
        again = await replays.replay(session, again.id, owner_id=None)
    await site.work("reports")

    assert (await admin.task(first.id))["state"] == "succeeded"
    assert (await admin.task(again.id))["error"]["type"] == "Forbidden"


async def test_a_dataset_brings_its_scope(site: Live, admin: Client) -> None:
    """Declared by a module of one's own, it can be given to users like ours."""
    client = await site.user(f"seller{next(numbers)}")
    before = [one["name"] for one in (await client.get("/api/v1/exports")).json()["items"]]
    await admin.patch(f"/api/v1/users/{await id_of(client)}", json={"scopes": ["export:cells"]})
    after = [one["name"] for one in (await client.get("/api/v1/exports")).json()["items"]]

    assert "cells" not in before
    assert "cells" in after


async def last_deed(site: Live, admin: Client) -> str:
    """Return what the log has an admin export last."""
    async with site.database.driver() as database:
        found = await database.fetchval(
            "SELECT data FROM activity WHERE kind = 'admin.export' AND user_id = $1"
            " ORDER BY id DESC LIMIT 1",
            await id_of(admin),
        )
    return str(found["target"])
