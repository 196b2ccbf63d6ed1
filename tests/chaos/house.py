"""A system to be mistreated, with its witnesses around it."""

import asyncio
import contextlib
import itertools
import json
import os
import signal
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import psutil
from pydantic import SecretStr

from chaos.jobs import MOST_BYTES
from chaos.ledger import TERMINAL, Book, History, Task, Verdict, judge
from support.client import Client
from support.system import EndedEarly, Part, System
from support.waiting import wait_until
from tasuki import Settings, Tasuki
from tasuki import Task as DeclaredTask
from tasuki.core.database import Database
from tasuki.tasks import TaskRecord
from tasuki.tasks.settings import TasksSettings

LEASE_S = 1.5
MODULES = ("support.jobs", "chaos.jobs")
SHORT = {
    "TASUKI_TASKS__LEASE_S": str(LEASE_S),
    "TASUKI_TASKS__RING_AGAIN_S": "1",
    "TASUKI_TASKS__CANCEL_GRACE_S": "0.5",
    "TASUKI_TASKS__LOOK_EVERY_S": "0.5",
    "TASUKI_TASKS__MAX_ARTIFACT_BYTES": str(MOST_BYTES),
}
LONG_S = 40.0
"""Longest wait for what must come: generous, since the machine may be busy."""

_TASKS = """
SELECT id, args ->> 'key' AS key, state, attempt, result,
       max_attempts + max_crashes - 1 + (
           SELECT count(*) FROM task_events e WHERE e.task_id = tasks.id AND e.seq > 1
           AND e.type = 'queued' AND NOT e.data ? 'reason') AS most_starts,
       (SELECT jsonb_agg(jsonb_build_array(seq, type) ORDER BY seq)
        FROM task_events WHERE task_id = tasks.id) AS events
FROM tasks WHERE args ? 'key' ORDER BY id
"""

_LOCKED = "FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


class House:
    """A system, those who order from it, those who watch it, and their books.

    Orders go straight into the database, in this process and without a dispatcher, so that
    the processes under test are all there is; `order_by_http` asks the web process instead.

    Args:
        broker_url: What carries the bells, if not that Redis.
        env: Settings of the processes beside the short leases.
        modules: Further modules for the workers, e.g. mutants.
    """

    def __init__(
        self,
        folder: Path,
        database_url: str,
        redis_url: str,
        *,
        broker_url: str | None = None,
        env: Mapping[str, str] | None = None,
        modules: tuple[str, ...] = (),
    ) -> None:
        self.folder = folder
        self.database_url = database_url
        named = {"TASUKI_TASKS__MODULES": json.dumps([*MODULES, *modules])}
        ringing = {"TASUKI_BROKER_URL": broker_url} if broker_url else {}
        self.system = System(
            folder, database_url, redis_url, {**SHORT, **named, **ringing, **(env or {})}
        )
        self.attempts = Book(folder / "attempts.jsonl")
        self.effects = Book(folder / "effects.jsonl")
        self.seen = Book(folder / "seen.jsonl")
        self.ends = Book(folder / "ends.jsonl")
        self.kills = Book(folder / "kills.jsonl")
        self.tasuki = Tasuki(
            Settings(
                database_url=SecretStr(database_url),
                redis_url=SecretStr(redis_url),
                data_dir=folder,
                tasks=TasksSettings(modules=MODULES, lease_s=LEASE_S),
            )
        )
        self.kept: dict[str, Part] = {}
        self._numbers = itertools.count(1)
        self._owned: list[asyncio.Task[None]] = []

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncGenerator["House"]:
        """Connect; at the end, kill what still runs."""
        with self.system:
            async with self.tasuki.connected():
                try:
                    yield self
                finally:
                    for task in self._owned:
                        task.cancel()
                    await asyncio.gather(*self._owned, return_exceptions=True)

    async def web(self, port: int = 0, **env: str) -> Part:
        """Start a web process."""
        return await asyncio.to_thread(self.system.web, port, **env)

    async def worker(self, lane: str = "io", *options: str, **env: str) -> Part:
        """Start a worker."""
        return await asyncio.to_thread(self.system.worker, lane, *options, **env)

    async def scheduler(self, **env: str) -> Part:
        """Start a scheduler, which rings and repairs."""
        return await asyncio.to_thread(self.system.scheduler, **env)

    async def start(self, *roles: str) -> dict[str, Part]:
        """Start a web process, a scheduler, an ``io`` or a ``cpu`` worker, all at once."""
        ways: dict[str, Callable[[], Awaitable[Part]]] = {
            "web": self.web,
            "scheduler": self.scheduler,
            "io": lambda: self.worker("io"),
            "cpu": lambda: self.worker("cpu", "--concurrency", "1"),
        }
        parts = await asyncio.gather(*(ways[role]() for role in roles))
        return dict(zip(roles, parts, strict=True))

    async def keep(self, role: str, start: Callable[[], Awaitable[Part]]) -> None:
        """Start a process, and another one whenever it dies, as a supervisor does.

        Args:
            role: Where the process of the moment stands in `kept`.
        """
        self.kept[role] = await start()

        async def again() -> None:
            while True:
                ended = partial(_ended, self.kept[role])
                await wait_until(ended, within=86_400, what=f"the end of {role}")
                self.kills.write(what="restart", part=role)
                # A worker takes bells a moment before it is ready, and one of them may be poison.
                with contextlib.suppress(EndedEarly):
                    self.kept[role] = await start()

        _ = self.own(again())

    async def keep_worker(self, lane: str = "io", *options: str) -> None:
        """Start a worker, and another one whenever it dies."""
        await self.keep(lane, lambda: self.worker(lane, *options))

    def own(self, work: Any) -> "asyncio.Task[None]":
        """Run a coroutine beside the test, until the house is closed."""
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._owned.append(task)
        return task

    def kill(self, part: Part, why: str = "") -> None:
        """Kill a process with its children, and write it down."""
        self.kills.write(what="kill", part=part.name, pid=part.process.pid, why=why)
        part.kill()

    def kill_pid(self, pid: int) -> None:
        """Kill one process and not its children."""
        self.kills.write(what="kill", pid=pid)
        os.kill(pid, signal.SIGKILL)

    def arguments(self, **args: Any) -> dict[str, Any]:
        """Return arguments for a task of `chaos.jobs`, under a key of its own."""
        return {"key": f"order-{next(self._numbers)}", "book": str(self.effects.path), **args}

    async def order(self, task: DeclaredTask[..., Any], *, crashes: int = 0, **args: Any) -> UUID:
        """Order a task of `chaos.jobs`.

        Args:
            crashes: As if it had taken down so many workers already.
        """
        return (await self.order_together(task, 1, crashes=crashes, **args))[0]

    async def order_together(
        self, task: DeclaredTask[..., Any], count: int, *, crashes: int = 0, **args: Any
    ) -> list[UUID]:
        """Order a task of `chaos.jobs` so many times, in one transaction."""
        orders = [self.arguments(**args) for _ in range(count)]
        async with self.tasuki.services.get(Database).unit_of_work() as session:
            ids = [(await self.tasuki.enqueue(session, task, **order)).id for order in orders]
            if crashes:
                raw = await (await session.connection()).get_raw_connection()
                await raw.driver_connection.execute(  # type: ignore[union-attr]  # asyncpg's
                    "UPDATE tasks SET crash_count = $1, attempt = $1 WHERE id = ANY($2)",
                    crashes,
                    ids,
                )
        for order, task_id in zip(orders, ids, strict=True):
            self.attempts.write(key=order["key"], outcome="ok", id=str(task_id))
        return ids

    async def order_by_http(self, client: Client, name: str, args: dict[str, Any]) -> str | None:
        """Order a task over HTTP, and return its id if the answer came."""
        key = args["key"]
        try:
            answer = await client.post(
                f"{self.system.url}/api/v1/tasks",
                json={"name": name, "args": args},
                headers={"Idempotency-Key": f'"{key}"'},
            )
        except httpx.TransportError as exc:
            self.attempts.write(key=key, outcome="unknown", error=repr(exc))
            return None
        if answer.status_code not in {200, 202}:
            self.attempts.write(key=key, outcome="unknown", status=answer.status_code)
            return None
        task_id = str(answer.json()["id"])
        self.attempts.write(key=key, outcome="ok", id=task_id)
        return task_id

    async def record(self, task_id: UUID | str) -> TaskRecord:
        """Return a task's record."""
        return await self.tasuki.status(UUID(str(task_id)))

    async def ended(self, task_id: UUID | str, *, within: float = LONG_S) -> TaskRecord:
        """Wait for a task's end."""

        async def look() -> TaskRecord | None:
            record = await self.record(task_id)
            return record if record.state in TERMINAL else None

        found = await wait_until(look, within=within, what=f"the end of {task_id}")
        assert found is not None
        return found

    async def begun(self, task_id: UUID | str, *, times: int = 1) -> dict[str, Any]:
        """Wait until a task's code began so many times; return its last line."""

        async def look() -> list[dict[str, Any]]:
            lines = self.starts(task_id)
            return lines if len(lines) >= times else []

        lines = await wait_until(look, within=LONG_S, what=f"start {times} of {task_id}")
        return lines[times - 1]

    def starts(self, task_id: UUID | str) -> list[dict[str, Any]]:
        """Return the lines a task wrote when it began."""
        return [
            line
            for line in self.effects.read()
            if line["id"] == str(task_id) and line["what"] == "start"
        ]

    def watch(self, client: Client, task_id: UUID | str) -> "asyncio.Task[None]":
        """Watch a task's live events as a browser does, through whatever happens."""
        return self.own(self._watch(client, str(task_id), f"watcher-{next(self._numbers)}"))

    async def _watch(self, client: Client, task_id: str, name: str) -> None:
        last: str | None = None
        while True:
            headers = {"Last-Event-ID": last} if last else {}
            url = f"{self.system.url}/api/v1/tasks/{task_id}/events"
            with contextlib.suppress(httpx.TransportError):
                async with client.stream("GET", url, headers=headers, timeout=20) as answer:
                    if answer.status_code == 204:
                        return
                    async for event in _events(answer):
                        last = event["id"]
                        self.seen.write(
                            watcher=name, id=task_id, seq=event["seq"], type=event["type"]
                        )
                        if event["type"] in TERMINAL:
                            return
            await asyncio.sleep(0.05)

    async def tasks(self) -> list[Task]:
        """Read the database, not by way of Tasuki; wait for it while it is away."""
        rows = await wait_until(self._read_tasks, within=LONG_S, what="the database")
        return [
            Task(
                id=str(row["id"]),
                key=row["key"],
                state=row["state"],
                attempt=row["attempt"],
                most_starts=row["most_starts"],
                result=row["result"] and json.loads(row["result"]),
                events=[(seq, kind) for seq, kind in json.loads(row["events"])],
            )
            for row in rows[0]
        ]

    async def _read_tasks(self) -> list[Any]:
        with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            connection = await asyncpg.connect(self.database_url)
            try:
                return [await connection.fetch(_TASKS)]
            finally:
                await connection.close()
        return []

    async def verdict(self, *, within: float = LONG_S) -> Verdict:
        """Wait until all has ended, and judge what happened.

        Args:
            within: How long nothing may end; what crawls is not lost.
        """
        for task in self._owned:
            if task.done() and not task.cancelled():
                task.result()  # a keeper or a watcher that failed is no verdict on the system
        tasks = await self.tasks()
        ended, moved = -1, time.monotonic()
        while any(task.state not in TERMINAL for task in tasks):
            now_ended = sum(task.state in TERMINAL for task in tasks)
            if now_ended != ended:
                ended, moved = now_ended, time.monotonic()
            if time.monotonic() - moved > within:
                break
            await asyncio.sleep(0.1)
            tasks = await self.tasks()
        return judge(
            History(
                attempts=self.attempts.read(),
                effects=self.effects.read(),
                seen=self.seen.read(),
                ends=self.ends.read(),
                tasks=tasks,
            )
        )


@contextlib.asynccontextmanager
async def signed_in(house: House) -> AsyncGenerator[Client]:
    """A client of the house's web process, signed in as the admin."""
    async with Client(base_url=house.system.url, timeout=10) as client:
        yield await client.sign_in()


def children(part: Part) -> list[int]:
    """Return the process ids of a part's children."""
    return [child.pid for child in psutil.Process(part.process.pid).children()]


async def until_locked(database_url: str, *, sessions: int) -> None:
    """Wait until so many sessions wait for a lock."""
    connection = await asyncpg.connect(database_url)

    async def look() -> bool:
        found = await connection.fetchval(f"SELECT count(*) {_LOCKED}")
        return int(found) >= sessions

    try:
        await wait_until(look, within=LONG_S, what=f"{sessions} waiting sessions")
    finally:
        await connection.close()


async def end_locked(database_url: str) -> None:
    """End the sessions that wait for a lock, as PostgreSQL would once it notices."""
    connection = await asyncpg.connect(database_url)
    try:
        ending = f"SELECT pg_terminate_backend(pid, 10000) {_LOCKED}"
        await connection.execute(ending)
    finally:
        await connection.close()


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a plain condition."""

    async def look() -> bool:
        return condition()

    await wait_until(look, within=LONG_S, what=what)


async def _ended(part: Part) -> bool:
    return part.process.poll() is not None


async def _events(answer: httpx.Response) -> AsyncGenerator[dict[str, Any]]:
    """Read the events of a stream (WHATWG HTML, 9.2)."""
    event: dict[str, Any] = {}
    async for line in answer.aiter_lines():
        name, _, text = line.partition(": ")
        if name == "id":
            event["id"] = text
        elif name == "data":
            event |= {word: json.loads(text)[word] for word in ("seq", "type")}
        elif not line and "seq" in event:
            yield event
            event = {}
