"""What people are told: in their inbox, at once in open tabs, and read in all of them or none."""

import asyncio
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from support.client import Client
from support.following import following
from support.live import Live
from support.sockets import talking
from support.waiting import wait_until
from tasuki.notifications import Note, NotificationService

pytestmark = pytest.mark.asyncio(loop_scope="module")

URL = "/api/v1/notifications"
NOTE = {"notification_type": "news", "title": "Tea is here", "message": "Come and get it"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def admin(site: Live) -> Client:
    return await site.user("teller", role="admin")


async def tell(admin: Client, **values: Any) -> dict[str, Any]:
    """Tell somebody something, and return what the admin is answered."""
    answer = await admin.post(URL, json={**NOTE, **values})
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def inbox(client: Client, **query: Any) -> dict[str, Any]:
    """Return a page of somebody's inbox."""
    answer = await client.get(URL, params=query)
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


async def whoami(client: Client) -> int:
    """Return the id of who is signed in."""
    return int((await client.get("/api/v1/auth/me")).json()["id"])


async def test_a_notification_is_in_the_inbox_and_at_once_in_an_open_tab(
    site: Live, admin: Client
) -> None:
    """Who is there sees it come, who is not finds it later; it is the same one."""
    hanako = await site.user("hanako")
    user_id = await whoami(hanako)
    async with following(hanako) as events:
        await events.frame()
        told = await tell(admin, user_id=user_id, data={"order": 7})
        kind, event = await events.event()

    page = await inbox(hanako)
    assert (kind, event["channel"]) == ("notification", f"user:{user_id}")
    assert event["data"] == as_told(told)
    assert event["data"].keys() == {*NOTE, "id", "data", "timestamp"}
    assert page == {"items": [told], "next": None, "unread": 1}


async def test_a_broadcast_reaches_everybody_who_was_there_when_it_was_told(
    site: Live, admin: Client
) -> None:
    """Whoever comes later is not greeted with old news."""
    early = await site.user("early")
    async with following(early) as events:
        await events.frame()
        told = await tell(admin, broadcast=True)
        kind, event = await events.event()
    late = await site.user("late")

    assert (kind, event["channel"]) == ("system_notification", "system")
    assert event["data"] == as_told(told)
    assert [item["id"] for item in (await inbox(early))["items"]] == [told["id"]]
    assert (await inbox(late)) == {"items": [], "next": None, "unread": 0}
    assert (await late.post(f"{URL}/{told['id']}/read")).status_code == 404


async def test_the_guides_socket_tells_the_same(site: Live, admin: Client) -> None:
    """Each event is one flat message; what is told to all comes beside what is told to one."""
    client = await site.user("socket")
    user_id = await whoami(client)
    async with talking(client, f"/api/v1/ws/notifications/{user_id}") as talk:
        await talk.say({"type": "ping"})
        pong = await talk.hear()
        mine = await tell(admin, user_id=user_id, data={"order": 7})
        heard = [await talk.hear()]
        news = await tell(admin, broadcast=True)
        heard.append(await talk.hear())
        await client.post(f"{URL}/read-all")
        heard.append(await talk.hear())

    assert pong["type"] == "pong"
    assert datetime.fromisoformat(pong["timestamp"]).tzinfo is not None
    assert heard == [
        {"type": "notification", **as_told(mine)},
        {"type": "system_notification", **as_told(news)},
        {"type": "notifications_read", "ids": [], "all": True, "unread": 0},
    ]


async def test_nobody_opens_the_socket_of_somebody_else(site: Live, admin: Client) -> None:
    """Who it is for is said by the session and not by the address; admins are no exception."""
    client = await site.user("private")
    user_id = await whoami(client)
    codes = [
        await closed_with(caller, f"/api/v1/ws/notifications/{number}")
        for caller, number in (
            (admin, user_id),
            (client, user_id + 1),
            (client, "me"),
            (client, f"0{user_id}"),
            (await site.client(), user_id),
        )
    ]

    assert codes == [4403, 4403, 4403, 4403, 4401]


@pytest.mark.parametrize(
    "message", [{"type": "ping", "x": 1}, {"type": "chat", "message": "hi"}, {}, {"type": []}]
)
async def test_a_message_that_is_no_ping_is_refused_and_the_socket_stays(
    site: Live, admin: Client, message: dict[str, Any]
) -> None:
    """The client is told what was wrong; nothing of what it sent is repeated."""
    del site
    user_id = await whoami(admin)
    async with talking(admin, f"/api/v1/ws/notifications/{user_id}") as talk:
        await talk.say(message, {"type": "ping"})
        refused, pong = await talk.hear(), await talk.hear()

    assert (refused["type"], refused["code"]) == ("error", "validation_failed")
    assert pong["type"] == "pong"


async def closed_with(client: Client, path: str) -> int | None:
    """Open a socket and return the code with which it is closed."""
    async with talking(client, path) as talk:
        return await talk.closed()


def as_told(told: dict[str, Any]) -> dict[str, Any]:
    """Return what channels tell of a notification, which is less than its inbox shows."""
    return {name: told[name] for name in told if name not in {"broadcast", "read"}}


async def test_what_is_read_in_one_tab_is_read_in_the_other(site: Live, admin: Client) -> None:
    """The number on the bell comes from the server with each mark, so no tab counts wrong."""
    first = await site.user("two_tabs")
    user_id = await whoami(first)
    second = await site.browser(user_id)
    ids = [(await tell(admin, user_id=user_id))["id"] for _ in range(2)]
    ids.append((await tell(admin, broadcast=True))["id"])
    assert (await inbox(first))["unread"] == 3

    async with following(second, f"user:{user_id}") as events:
        await events.frame()
        await first.post(f"{URL}/{ids[0]}/read")
        await first.post(f"{URL}/{ids[0]}/read")  # twice is fine, and nothing new
        await first.post(f"{URL}/{ids[2]}/read")
        await first.post(f"{URL}/read-all")
        await first.post(f"{URL}/read-all")
        await tell(admin, user_id=user_id, title="The last one")
        seen = [await events.event() for _ in range(4)]

    assert [event["data"] for _, event in seen[:3]] == [
        {"ids": [ids[0]], "all": False, "unread": 2},
        {"ids": [ids[2]], "all": False, "unread": 1},
        {"ids": [], "all": True, "unread": 0},
    ]
    assert [kind for kind, _ in seen] == [*["notifications_read"] * 3, "notification"]
    page = await inbox(second)
    assert [item["read"] for item in page["items"]] == [False, True, True, True]
    assert page["unread"] == 1


@pytest.mark.parametrize("is_broadcast", [False, True])
async def test_a_mark_waits_for_who_is_just_telling(
    site: Live, admin: Client, is_broadcast: bool
) -> None:
    """A tab adds one for each notification and believes each mark: their order must be true."""
    client = await site.user(f"busy_{is_broadcast}".lower())
    user_id = await whoami(client)
    service = site.tasuki.services.get(NotificationService)
    note = Note(notification_type="order", title="Paid", message="")
    await tell(admin, user_id=user_id)

    async with following(client) as events:
        await events.frame()
        async with site.database.unit_of_work() as session:
            if is_broadcast:
                told = await service.broadcast(session, note)
            else:
                told = await service.notify(session, user_id, note)
            marking = asyncio.create_task(client.post(f"{URL}/read-all"))
            await wait_until(lambda: _waits_for_lock(site), within=5, what="the mark's waiting")
        await marking
        seen = [await events.event()]
        while seen[-1][0] != "notifications_read":
            seen.append(await events.event())

    # What others were told before may also come only now.
    assert str(told.id) in [event["data"].get("id") for _, event in seen]
    assert seen[-1][1]["data"] == {"ids": [], "all": True, "unread": 0}
    assert (await inbox(client))["unread"] == 0


async def test_an_inbox_is_read_page_by_page_though_more_comes(site: Live, admin: Client) -> None:
    """Newest first, personal and general ones together, none twice and none left out."""
    client = await site.user("pager")
    user_id = await whoami(client)
    for number in range(5):
        whom = {"broadcast": True} if number % 2 else {"user_id": user_id}
        await tell(admin, title=f"Number {number}", **whom)

    titles: list[str] = []
    cursor: str | None = None
    while True:
        page = await inbox(client, limit=2, **({"cursor": cursor} if cursor else {}))
        titles += [item["title"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
        await tell(admin, user_id=user_id, title="Meanwhile")

    assert titles == [f"Number {number}" for number in (4, 3, 2, 1, 0)]


@pytest.mark.parametrize(
    "cursor", ["bm9uc2Vuc2U", "MjAyNg", "MDAwMS0wMS0wMVQwMDowMDowMCswOTowMCB4"]
)
async def test_a_hostile_cursor_is_refused(site: Live, admin: Client, cursor: str) -> None:
    """What is no place of this list gets an answer that says so."""
    del site
    answer = await admin.get(URL, params={"cursor": cursor})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"] == ["query", "cursor"]


@pytest.mark.parametrize(
    ("values", "where"),
    [
        ({}, "user_id"),
        ({"user_id": 1, "broadcast": True}, "user_id"),
        ({"broadcast": True, "title": ""}, "title"),
        ({"broadcast": True, "title": "  "}, "title"),
        ({"broadcast": True, "title": "x" * 201}, "title"),
        ({"broadcast": True, "title": "two\nlines"}, "title"),
        ({"broadcast": True, "message": "x" * 4001}, "message"),
        ({"broadcast": True, "notification_type": "x" * 65}, "notification_type"),
        ({"broadcast": True, "data": {"x": "é" * 4096}}, "data"),
        ({"broadcast": True, "data": ["a", "list"]}, "data"),
        ({"broadcast": True, "icon": "bell"}, "icon"),
        ({"user_id": 2**63}, "user_id"),
    ],
)
async def test_what_cannot_be_told_is_refused_with_the_reason(
    admin: Client, values: dict[str, Any], where: str
) -> None:
    """And nobody is told half of it."""
    answer = await admin.post(URL, json={**NOTE, **values})

    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert where in answer.text


async def test_strange_text_is_kept_as_far_as_a_database_can(site: Live, admin: Client) -> None:
    """Emoji made of several characters stay whole; what no database takes becomes U+FFFD."""
    client = await site.user("strange")
    user_id = await whoami(client)
    strange = {
        "title": "Family \U0001f468\u200d\U0001f467",
        "message": "a\u0000b\n\U0001f600",
        "data": {"\u0000": "\u0000"},
    }
    told = await tell(admin, user_id=user_id, **strange)

    assert (await inbox(client))["items"] == [told]
    assert told["title"] == strange["title"]
    assert told["message"] == "a\ufffdb\n\U0001f600"
    assert told["data"] == {"\ufffd": "\ufffd"}


async def test_nobody_is_told_by_a_wrong_number(site: Live, admin: Client) -> None:
    """A user who does not exist is a mistake of the caller, and is said."""
    answer = await admin.post(URL, json={**NOTE, "user_id": 999_999})

    assert (answer.status_code, answer.json()["code"]) == (404, "user_not_found")
    async with site.database.driver() as connection:
        rows = "SELECT count(*) FROM notifications WHERE user_id = 999999"
        assert await connection.fetchval(rows) == 0


async def test_row_and_push_are_one_transaction(site: Live) -> None:
    """What was rolled back was told to nobody; the next thing told is the first heard."""
    client = await site.user("careful")
    user_id = await whoami(client)
    service = site.tasuki.services.get(NotificationService)
    note = Note(notification_type="order", title="Paid", message="")

    async def pay() -> None:
        async with site.database.unit_of_work() as session:
            await service.notify(session, user_id, note)
            raise RuntimeError("the bank says no")

    async with following(client, f"user:{user_id}") as events:
        await events.frame()
        with pytest.raises(RuntimeError):
            await pay()
        async with site.database.unit_of_work() as session:
            told = await service.notify(session, user_id, note)
        _, event = await events.event()

    assert event["data"]["id"] == str(told.id)
    assert [item["id"] for item in (await inbox(client))["items"]] == [str(told.id)]


async def test_what_is_told_under_the_same_id_is_told_once(site: Live) -> None:
    """Who does not know whether it was told tells again, and nobody is told twice."""
    client = await site.user("once")
    user_id = await whoami(client)
    service = site.tasuki.services.get(NotificationService)
    note = Note(notification_type="order", title="Paid", message="")
    number = UUID("00000000-0000-5000-8000-000000000001")

    async def once() -> Any:
        async with site.database.unit_of_work() as session:
            return await service.notify(session, user_id, note, notification_id=number)

    async with following(client, f"user:{user_id}") as events:
        await events.frame()
        first, *others = await asyncio.gather(*(once() for _ in range(4)))
        await client.post(f"{URL}/read-all")
        seen = [(await events.event())[0] for _ in range(2)]

    assert seen == ["notification", "notifications_read"]
    assert {one.created_at for one in others} == {first.created_at}
    assert len((await inbox(client))["items"]) == 1


async def test_old_notifications_are_deleted_in_lots(
    site: Live, admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read or not: after 90 days nobody looks, and the table does not grow for ever."""
    client = await site.user("forgetful")
    user_id = await whoami(client)
    kept = await tell(admin, user_id=user_id)
    old = [await tell(admin, user_id=user_id), await tell(admin, broadcast=True)]
    await client.post(f"{URL}/read-all")
    async with site.database.driver() as connection:
        await connection.execute(
            "UPDATE notifications SET created_at = now() - interval '91 days' WHERE id = ANY($1)",
            [UUID(told["id"]) for told in old],
        )
    monkeypatch.setattr("tasuki.notifications.tasks._BATCH", 1)

    task_id = await admin.order("notifications.cleanup")
    await wait_until(lambda: _has_ended(site, admin, task_id), within=10)

    assert (await admin.task(task_id))["result"] == {"deleted": 2}
    assert [item["id"] for item in (await inbox(client))["items"]] == [kept["id"]]
    async with site.database.driver() as connection:
        left = "SELECT count(*) FROM notification_reads WHERE notification_id = $1"
        assert await connection.fetchval(left, UUID(old[1]["id"])) == 0


async def _has_ended(site: Live, client: Client, task_id: str) -> bool:
    await site.work("cleanup")
    return bool((await client.task(task_id))["finished_at"])


async def _waits_for_lock(site: Live) -> bool:
    async with site.database.driver() as connection:
        waits = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)"
        return bool(await connection.fetchval(waits))
