"""What tasks tell people, from every process that runs tasks."""

from typing import Any

from support import jobs
from support.client import Client
from support.following import following
from support.live import Live
from support.system import System

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
