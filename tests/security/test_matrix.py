"""Who may what is data, `matrix.yaml`; here every cell of it is tried on the real application."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
import yaml
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import WebSocketRoute
from websockets.exceptions import ConnectionClosed

from support import jobs
from support.client import Client
from support.live import Live
from support.sockets import Talk, talking
from support.system import ADMIN_PASSWORD
from support.waiting import wait_until
from tasuki.mail.records import Words
from tasuki.mail.sendings.service import SendingService
from tasuki.mail.service import MailService
from tasuki.notifications import Note, NotificationService
from tasuki.tasks import TaskService
from tasuki.tasks.batches import BatchService
from tasuki.wiring.declared import load_declared

pytestmark = pytest.mark.asyncio(loop_scope="module")

MATRIX: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "matrix.yaml").read_text())
ROLES = ("anonymous", "owner", "other", "scoped", "admin")
LINES: dict[str, dict[str, Any]] = MATRIX["routes"]
ROOM_ROLES = ("anonymous", "owner", "other", "member", "admin")
CHANNELS: dict[str, dict[str, Any]] = MATRIX["channels"]
STREAM = "/api/v1/events/stream"
SOCKETS: dict[str, dict[str, Any]] = MATRIX["sockets"]
FOREIGN = [
    line
    for line, cells in LINES.items()
    if "{" in line and "path" not in cells and cells["other"] == 404
]


class House:
    """Users of every role, and things that belong to the owner."""

    def __init__(self, site: Live, ids: dict[str, int]) -> None:
        self.site = site
        self.ids = ids

    async def caller(self, role: str) -> Client:
        """Return a browser with a session that no other cell has used up."""
        if role == "anonymous":
            return await self.site.client()
        return await self.site.browser(self.ids[role])

    async def things(self, line: str, cells: dict[str, Any]) -> dict[str, str]:
        """Return ids of fresh things of the owner, for what a line names."""
        things = {"user_id": str(self.ids["owner"]), "fresh": str(uuid4())}
        owner = await self.caller("owner")
        line += cells.get("path", "")
        if "{session_id}" in line:
            sessions = (await owner.get("/api/v1/auth/sessions")).json()["items"]
            things["session_id"] = next(item["id"] for item in sessions if item["current"])
        if "{token_id}" in line:
            token = await owner.post("/api/v1/auth/tokens", json={"name": "matrix"})
            things["token_id"] = token.json()["id"]
        if "{notification_id}" in line:
            things["notification_id"] = await self.notification()
        if "/chat/" in line or "{room_name}" in line:
            room = await self.room(owner, public=cells.get("public", False))
            things |= {"name": room, "room_name": room}
        if "{run_id}" in line:
            things["run_id"] = await self.export(owner)
        return things | await self.orders(line, cells)

    async def orders(self, line: str, cells: dict[str, Any]) -> dict[str, str]:
        """Return what of the owner's orders a line names."""
        if "{task_id}" in line:
            return {"task_id": await self.task(cells.get("task", "queued"))}
        if "{mail_id}" in line:
            return {"mail_id": await self.mail()}
        if "/mail/batches/" in line:
            return {"batch_id": await self.sending()}
        if "{batch_id}" in line:
            return {"batch_id": await self.batch(cells.get("batch", "queued"))}
        return {}

    async def room(self, owner: Client, *, public: bool) -> str:
        """Return a fresh room of the owner, to which the member belongs."""
        name = str(uuid4())
        made = await owner.post("/api/v1/chat/rooms", json={"name": name, "public": public})
        members = f"/api/v1/chat/rooms/{name}/members"
        added = await owner.post(members, json={"user_id": self.ids["member"]})
        assert (made.status_code, added.status_code) == (201, 201)
        return name

    async def export(self, owner: Client) -> str:
        """Return an export of the owner that is whole."""
        answer = await owner.get("/api/v1/exports/tasks")
        run: str = answer.headers["x-export-id"]

        async def is_whole() -> bool:
            told = await owner.get(f"/api/v1/exports/runs/{run}")
            return bool(told.json()["state"] == "complete")

        await wait_until(is_whole, within=10)
        return run

    async def notification(self) -> str:
        """Return something that the owner alone was just told."""
        note = Note(notification_type="note", title="Only for you", message="")
        async with self.site.database.unit_of_work() as session:
            service = self.site.tasuki.services.get(NotificationService)
            told = await service.notify(session, self.ids["owner"], note)
        return str(told.id)

    async def batch(self, state: str) -> str:
        """Return a fresh batch of the owner."""
        async with self.site.database.unit_of_work() as session:
            handle = await self.site.tasuki.services.get(BatchService).enqueue(
                session, jobs.echo.having(owner_id=self.ids["owner"]), [{}, {}]
            )
        if state == "ended":
            await self.site.work()
        return str(handle.id)

    async def mail(self) -> str:
        """Return a fresh mail of the owner."""
        async with self.site.database.unit_of_work() as session:
            handle = await self.site.tasuki.services.get(MailService).order(
                session,
                to="reader@example.org",
                subject="S",
                text="x",
                owner_id=self.ids["owner"],
            )
        return str(handle.id)

    async def sending(self) -> str:
        """Return a fresh sending of the owner."""
        async with self.site.database.unit_of_work() as session:
            handle = await self.site.tasuki.services.get(SendingService).order(
                session,
                ["reader@example.org"],
                Words(subject="S", html="x", text=None),
                owner_id=self.ids["owner"],
                link_base="http://localhost",
            )
        return str(handle.id)

    async def task(self, state: str) -> str:
        """Return a fresh task of the owner."""
        async with self.site.database.unit_of_work() as session:
            handle = await self.site.tasuki.services.get(TaskService).enqueue(
                session, jobs.echo.having(owner_id=self.ids["owner"]), {}
            )
            if state == "cancelled":
                await self.site.tasuki.services.get(TaskService).cancel(
                    session, handle.id, owner_id=None
                )
        if state == "ended":
            await self.site.work()
        return str(handle.id)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(site: Live) -> House:
    ids = {}
    for role in {*ROLES, *ROOM_ROLES} - {"anonymous"}:
        ids[role] = await site.add_user(
            role,
            role="admin" if role == "admin" else "user",
            scopes=tuple(MATRIX["scopes"]) if role == "scoped" else (),
            password=ADMIN_PASSWORD,
        )
    return House(site, ids)


def routes_of(app: FastAPI) -> Iterator[str]:
    """Return every route there is, written as in the matrix."""
    for route in iter_route_contexts(app.routes):
        kind = "WS" if isinstance(route.route, WebSocketRoute) else "MOUNT"
        methods = ",".join(sorted(getattr(route, "methods", None) or [kind]))
        yield f"{methods} {route.path}"


def route_of(line: str) -> str:
    """Return the route of a line, without the remark on which case it is."""
    return line.partition(" (")[0]


async def test_every_route_has_a_line_and_every_line_a_route(site: Live) -> None:
    """Nobody adds a route without saying who may use it."""
    routes = list(routes_of(site.app))

    written = {route_of(line) for line in LINES} | {f"WS {route_of(path)}" for path in SOCKETS}
    assert sorted(set(routes)) == sorted(written)
    assert len(set(routes)) == len(routes)


@pytest.mark.parametrize("line", LINES)
async def test_everybody_may_what_the_matrix_says(house: House, line: str) -> None:
    """One cell after the other, each with a fresh session and fresh things to touch."""
    cells = LINES[line]
    methods, route = route_of(line).split(" ", 1)
    answers = {}

    for role in ROLES:
        for method in methods.replace("MOUNT", "GET").split(","):
            caller = await house.caller(role)
            things = await house.things(line, cells)
            path = cells.get("path", route).format(**things)
            body = _filled(cells.get("body"), things)
            # What is allowed may be a stream that goes on for ever.
            async with caller.stream(method, path, json=body) as answer:
                answers[role, method] = answer.status_code

    assert answers == {
        (role, method): cells[role]
        for role in ROLES
        for method in methods.replace("MOUNT", "GET").split(",")
    }


@pytest.mark.parametrize("line", FOREIGN)
async def test_foreign_and_unknown_ids_get_the_same_answer(house: House, line: str) -> None:
    """Byte for byte, but for the id itself and the error's own: nobody can probe for ids."""
    method, route = route_of(line).split(" ", 1)
    other = await house.caller("other")
    theirs = await house.things(line, LINES[line])
    nobodys = {**dict.fromkeys(theirs, str(uuid4())), "user_id": theirs["user_id"]}
    body = _filled(LINES[line].get("body"), theirs)

    answers = [
        _without_ids(await other.request(method, route.format(**ids), json=body), ids)
        for ids in (theirs, nobodys)
    ]

    assert answers[0] == answers[1]


async def test_every_kind_of_channels_has_an_entry_and_every_entry_a_kind() -> None:
    """Nobody adds channels without saying who may follow them."""
    declared = {namespace.name for namespace in load_declared(()).namespaces}

    assert sorted(declared) == sorted(CHANNELS)


@pytest.mark.parametrize("name", CHANNELS)
async def test_everybody_may_follow_what_the_matrix_says(house: House, name: str) -> None:
    """And what is not for somebody answers as what there is not."""
    cells = CHANNELS[name]
    things = await house.things(cells["channel"], cells)
    query = {"channel": cells["channel"].format(**things)}

    answers = {}
    for role in ROOM_ROLES:
        caller = await house.caller(role)
        async with caller.stream("GET", STREAM, params=query) as answer:
            answers[role] = answer.status_code

    assert answers == {role: cells[role] for role in ROOM_ROLES}


@pytest.mark.parametrize(
    "name", [name for name, cells in CHANNELS.items() if cells["other"] == 404]
)
async def test_foreign_and_unknown_channels_get_the_same_answer(house: House, name: str) -> None:
    """Byte for byte, but for the channel's own name: nobody can probe for rooms or tasks."""
    other = await house.caller("other")
    pattern = CHANNELS[name]["channel"]
    theirs = await house.things(pattern, CHANNELS[name])
    unknown = str(uuid4())
    nobodys = {"user_id": "9" * len(theirs["user_id"]), "task_id": unknown, "room_name": unknown}

    answers = [
        _without_ids(
            await other.get(STREAM, params={"channel": (channel := pattern.format(**ids))}),
            {"channel": channel},
        )
        for ids in (theirs, nobodys)
    ]

    assert answers[0] == answers[1]


@pytest.mark.parametrize("path", SOCKETS)
async def test_everybody_may_open_the_sockets_that_the_matrix_says(
    house: House, path: str
) -> None:
    """The code is all that a page is told of a socket that it does not get."""
    cells = SOCKETS[path]
    things = await house.things(path, cells)

    answers: dict[str, int | str | None] = {}
    for role in ROOM_ROLES:
        async with talking(await house.caller(role), route_of(path).format(**things)) as talk:
            answers[role] = await _outcome(talk)

    assert answers == {role: cells[role] for role in ROOM_ROLES}


async def test_a_list_shows_only_what_is_ones_own(house: House) -> None:
    """A page of tasks is filtered where the rows are, not by hiding them afterwards."""
    task_id = await house.task("queued")

    seen = {}
    for role in ("owner", "other", "admin"):
        page = (await (await house.caller(role)).get("/api/v1/tasks")).json()
        seen[role] = task_id in {item["id"] for item in page["items"]}

    assert seen == {"owner": True, "other": False, "admin": True}


async def test_what_an_admin_does_with_a_task_of_others_is_written_down(house: House) -> None:
    """An admin may look at everything, and it does not stay secret that they did."""
    task_id = await house.task("queued")
    admin = await house.caller("admin")

    await admin.get(f"/api/v1/tasks/{task_id}")
    await admin.get(f"/api/v1/tasks/task-status/{task_id}")
    await admin.post(f"/api/v1/tasks/{task_id}/cancel")

    async with house.site.database.driver() as connection:
        kinds = await connection.fetch(
            "SELECT kind FROM activity WHERE user_id = $1 AND data->>'target' = $2 ORDER BY id",
            house.ids["admin"],
            f"task:{task_id}",
        )
    assert [row["kind"] for row in kinds] == [
        "admin.task.read",
        "admin.task.read",
        "admin.task.cancel",
    ]


async def test_only_an_admin_learns_why_the_system_is_not_ready(house: House) -> None:
    """The reasons name servers; a stranger needs to know only whether to come back."""
    stranger, admin = await house.caller("other"), await house.caller("admin")

    assert (await stranger.get("/readyz")).json() == {"status": "ready"}
    assert (await admin.get("/readyz")).json() == {"status": "ready", "reasons": []}


async def test_a_new_scope_or_none_counts_from_the_next_request(house: House) -> None:
    """What somebody may do is asked anew each time, and not kept in their session."""
    admin, user_id = await house.caller("admin"), await house.site.add_user("changing")
    program = await house.site.program(user_id)
    order = {"name": "test.echo"}

    before = await program.post("/api/v1/tasks", json=order)
    await admin.patch(f"/api/v1/users/{user_id}", json={"scopes": ["task:test.echo"]})
    granted = await program.post("/api/v1/tasks", json=order)
    await admin.patch(f"/api/v1/users/{user_id}", json={"disabled": True})
    after = await program.post("/api/v1/tasks", json=order)

    assert [a.status_code for a in (before, granted, after)] == [403, 202, 401]


async def _outcome(talk: Talk) -> int | str | None:
    """Return the code a socket is closed with, or that it answers."""
    with contextlib.suppress(ConnectionClosed):
        await talk.say({"type": "ping"})
        await talk.hear()
        return "open"
    return await talk.closed()


def _filled(body: Any, things: dict[str, str]) -> Any:
    if isinstance(body, dict):
        return {name: _filled(value, things) for name, value in body.items()}
    return body.format(**things) if isinstance(body, str) else body


def _without_ids(answer: httpx.Response, ids: dict[str, str]) -> tuple[int, str, dict[str, str]]:
    text = answer.text
    if answer.content:
        text = text.replace(answer.json()["error_id"], "ERROR")
    for name in ids.keys() - {"user_id"}:
        text = text.replace(ids[name], "ID")
    headers = {
        name: value
        for name, value in answer.headers.items()
        if name not in {"date", "x-request-id"}
    }
    return answer.status_code, text, headers
