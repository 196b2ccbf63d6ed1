"""What tasks tell people, from every process that runs tasks."""

from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID

from support import jobs
from support.client import Client
from support.following import Events, following
from support.live import Live
from support.system import System
from tasuki.notifications import Note, NotificationService

URL = "/api/v1/notifications"


async def inbox(client: Client) -> list[dict[str, Any]]:
    """Return what somebody was told, the newest first."""
    items: list[dict[str, Any]] = (await client.get(URL)).json()["items"]
    return items


async def test_a_worker_that_dies_after_telling_tells_nobody_twice(
    system: System, admin: Client
) -> None:
    """A real Celery worker tells a tab on another process; its task runs again, in silence."""
    system.worker("cpu", TASUKI_TASKS__CPU_CONCURRENCY="1")
    user_id = (await admin.get("/api/v1/auth/me")).json()["id"]
    async with following(admin, f"user:{user_id}") as events:
        await events.frame()
        task_id = await admin.order("test.tell_cpu", title="Your report is ready")
        ended = await admin.ended(task_id)
        told = [await events.event_of("notification")]
        marker = {"user_id": user_id, "notification_type": "x", "title": "Last", "message": ""}
        await admin.post(URL, json=marker)
        told.append(await events.event_of("notification"))

    assert (ended["state"], ended["attempt"], ended["crash_count"]) == ("succeeded", 2, 1)
    assert [event["data"]["title"] for event in told] == ["Your report is ready", "Last"]
    assert [one["title"] for one in await inbox(admin)] == ["Last", "Your report is ready"]
    assert told[0]["data"]["notification_type"] == "report"


async def test_what_differs_is_told_each_time(live: Live) -> None:
    """In a web process and in a worker; and somebody else may be told as well."""
    hanako, tom = await live.user("hanako", scopes=("task:test.tell",)), await live.user("tom")
    tom_id = (await tom.get("/api/v1/auth/me")).json()["id"]
    hanako_id = (await hanako.get("/api/v1/auth/me")).json()["id"]
    here = jobs.tell.having(lane="local", owner_id=hanako_id)
    await hanako.ended((await live.tasuki.submit(here, title="Here")).id)
    for args in ({"title": "There"}, {"title": "There"}, {"title": "To Tom", "user_id": tom_id}):
        await hanako.order("test.tell", **args)
    await live.work()

    assert sorted(one["title"] for one in await inbox(hanako)) == ["Here", "There", "There"]
    assert [one["title"] for one in await inbox(tom)] == ["To Tom"]
    assert {one["notification_type"] for one in await inbox(hanako)} == {"task"}


async def test_a_task_that_nobody_ordered_must_say_whom_to_tell(live: Live) -> None:
    """Otherwise it fails at once, with the reason; trying again would not help."""
    task_id = (await live.command("task", "order", "test.tell")).strip()
    await live.work()

    admin = await live.user("boss", role="admin")
    ended = await admin.task(task_id)
    assert (ended["state"], ended["attempt"]) == ("failed", 1)
    assert ended["error"]["message"] == "user_id: nobody ordered this task; say whom to tell"


async def test_what_is_too_long_fails_the_task_and_tells_nobody(live: Live) -> None:
    """The author of the task reads in its record what was wrong."""
    hanako = await live.user("hanako", scopes=("task:test.tell",))
    task_id = await hanako.order("test.tell", data={"text": "x" * 9000})
    await live.work()

    assert "larger than 8192 bytes" in (await hanako.task(task_id))["error"]["message"]
    assert await inbox(hanako) == []


async def test_only_who_knows_all_users_refuses_one(live: Live) -> None:
    """A worker may work for an application that has users of its own."""
    admin = await live.user("boss", role="admin")
    here = await live.tasuki.submit(jobs.tell.having(lane="local"), user_id=999_999)
    there = await admin.order("test.tell", user_id=999_999)
    await live.work()

    assert (await admin.ended(here.id))["error"]["message"] == "There is no user 999999."
    assert (await admin.task(there))["state"] == "succeeded"


async def shown(tab: Events, client: Client) -> str:
    """Read one's list when one is told to, and return the state of the newest task."""
    event = await tab.event_of("tasks")
    assert (event["offset"], event["data"]) == (None, {})
    return str((await client.get("/api/v1/tasks?limit=1")).json()["items"][0]["state"])


async def test_who_owns_tasks_is_told_whenever_they_change(live: Live) -> None:
    """In each of their tabs: who reads the list when told so has the last state of all."""
    hanako = await live.user("hanako", scopes=("task:test.echo",))
    user_id = (await hanako.get("/api/v1/auth/me")).json()["id"]
    async with following(hanako) as first, following(await live.browser(user_id)) as second:
        tabs = (first, second)
        for tab in tabs:
            await tab.frame()

        async def all_show(state: str) -> None:
            for tab in tabs:
                while await shown(tab, hanako) != state:
                    pass

        order = await hanako.order_with("test.echo", {}, delay_s=3600)
        await all_show("scheduled")
        await make_due(live, order["id"])
        await all_show("queued")
        await live.work()
        await all_show("succeeded")
        later = await hanako.order_with("test.echo", {}, delay_s=3600)
        await all_show("scheduled")
        await hanako.post(f"/api/v1/tasks/{later['id']}/cancel")
        await all_show("cancelled")
        await hanako.post(f"/api/v1/tasks/{later['id']}/replay")
        await all_show("queued")


async def test_many_changes_are_told_as_few_and_to_nobody_else(live: Live) -> None:
    """Hundreds of tasks a second must not make hundreds of events for each tab."""
    hanako, tom = await live.user("hanako", scopes=("task:test.echo",)), await live.user("tom")
    batch = {"name": "test.echo", "args": [{"text": str(number)} for number in range(300)]}
    async with following(hanako) as hers, following(tom) as his:
        for tab in (hers, his):
            await tab.frame()
        await hanako.post("/api/v1/batches", json=batch)
        await live.work()
        await hers.event_of("tasks")
        async with live.database.unit_of_work() as session:
            end = Note(notification_type="test", title="End", message="")
            await live.tasuki.services.get(NotificationService).broadcast(session, end)
        kinds = {tab: [kind async for kind, _ in events_to(tab, "End")] for tab in (hers, his)}

    assert kinds[hers].count("tasks") < 60
    assert kinds[his] == ["system_notification"]


async def make_due(live: Live, task_id: str) -> None:
    """Let the time come for which a task was ordered."""
    async with live.database.driver() as connection:
        due = "UPDATE tasks SET available_at = now() WHERE id = $1"
        await connection.execute(due, UUID(task_id))


async def events_to(tab: Events, title: str) -> AsyncGenerator[tuple[str, Any]]:
    """Yield events up to the notification with a title."""
    while True:
        kind, event = await tab.event()
        yield kind, event
        if event["data"].get("title") == title:
            return
