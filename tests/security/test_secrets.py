"""Secrets stand where they are needed and nowhere else: canaries are planted and looked for."""

import asyncio
import base64
import contextlib
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import redis.asyncio as redis
from websockets.exceptions import InvalidStatus

from support.client import Client
from support.servers import Servers
from support.smtp import Sink, smtp_sink
from support.sockets import talking
from support.system import ADMIN_PASSWORD, System

PASSWORD = "canary-password-7d1f"
NEW_PASSWORD = "canary-newpassword-9e2c"
WRONG_PASSWORD = "canary-wrongpassword-33b0"
SECRET_KEY = "canary-secretkey-5a84"
MAIL_PASSWORD = "canary-mailpassword-c417"
ADMIN = f"{ADMIN_PASSWORD}-canary"


Send = Callable[..., Awaitable[dict[str, Any]]]


@dataclass
class Scene:
    """A system in which everything secret was used once."""

    system: System
    canaries: dict[str, str]
    bodies: str
    command_lines: str


@pytest.fixture
async def mail_system() -> AsyncGenerator[Sink]:
    """A mail system that knows us by another password."""
    async with smtp_sink(user=("post", "another")) as sink:
        yield sink


@pytest.fixture
async def scene(system: System, database_url: str, redis_url: str, mail_system: Sink) -> Scene:
    system.env = {
        **system.env,
        "TASUKI_SECRET_KEY": SECRET_KEY,
        "TASUKI_ACCOUNTS__ADMIN_PASSWORD": ADMIN,
        "TASUKI_MAIL__HOST": "127.0.0.1",
        "TASUKI_MAIL__PORT": str(mail_system.port),
        "TASUKI_MAIL__TLS": "none",
        "TASUKI_MAIL__USERNAME": "post",
        "TASUKI_MAIL__PASSWORD": MAIL_PASSWORD,
    }
    system.web()
    system.worker("io")
    async with Client(base_url=system.url, timeout=20) as client:
        await client.sign_in("admin", ADMIN)
        bodies = await fail_to_log_in(client)

        async def send(method: str, path: str, **options: Any) -> dict[str, Any]:
            nonlocal bodies
            answer = await client.request(method, f"/api/v1{path}", **options)
            if path not in {"/auth/tokens", "/auth/ticket"}:
                bodies += answer.text
            return answer.json() if answer.content else {}

        user = {"username": "hana", "email": "hana@example.org", "password": PASSWORD}
        await send("POST", "/users", json={**user, "scopes": ["task:test.fail", "task:test.echo"]})
        await send("POST", "/users", json={**user, "colour": PASSWORD})
        await client.sign_in("hana", PASSWORD)
        session = client.cookies["tasuki_session"]
        token = str((await send("POST", "/auth/tokens", json={"name": "ci"}))["token"])
        await send("POST", "/auth/login", json={"username": "hana", "password": WRONG_PASSWORD})
        await send("POST", "/auth/login", json={"username": "hana", "pasword": WRONG_PASSWORD})
        await send("POST", "/auth/login", content=f'{{"password": "{WRONG_PASSWORD}"')
        await send("POST", "/auth/password", json={"old": PASSWORD, "new": NEW_PASSWORD})
        await send("GET", "/auth/me", headers={"Authorization": f"Bearer {token}x"})
        await send("GET", f"/auth/me?token={token}", headers={"Authorization": f"Bearer {token}"})
        for name, args in (("test.echo", {}), ("test.fail", {"fatal": True})):
            task_id = await client.order(name, **args)
            bodies += str(await client.ended(task_id))
        ticket = str((await send("POST", "/auth/ticket"))["ticket"])
        task_id = await client.order("test.echo")
        bodies += await use_ticket(client, ticket, f"/api/v1/tasks/{task_id}/events")
        await fail_in_the_database(database_url, send)
    canaries = {
        "password": PASSWORD,
        "new password": NEW_PASSWORD,
        "wrong password": WRONG_PASSWORD,
        "admin password": ADMIN,
        "secret key": SECRET_KEY,
        "mail password": MAIL_PASSWORD,
        "mail password as it is sent": base64.b64encode(MAIL_PASSWORD.encode()).decode(),
        "login as it is sent": base64.b64encode(f"\0post\0{MAIL_PASSWORD}".encode()).decode(),
        "session": session,
        "token": token,
        "ticket": ticket,
        "database password": database_url.split(":")[2].partition("@")[0],
        "redis password": redis_url.split(":")[2].partition("@")[0],
    }
    return Scene(system, canaries, bodies, command_lines())


async def fail_to_log_in(client: Client) -> str:
    """Have a mail fail because the mail system does not know our password."""
    mail = {"to_email": "any@example.org", "subject": "S", "html_content": "x"}
    accepted = await client.post("/api/v1/tasks/send-email-celery/", json=mail)
    task = await client.in_state(accepted.json()["task_id"], "retrying")
    return str(task)


async def use_ticket(client: Client, ticket: str, stream: str) -> str:
    """Open a stream with it, then once more, and a socket; return what was answered."""
    path = f"{stream}?ticket={ticket}"
    answers = [(await client.get(path)).text for _ in range(2)]
    with contextlib.suppress(InvalidStatus):
        async with talking(client, f"/api/v1/ws/notifications/1?ticket={ticket}") as talk:
            await talk.closed()
    return "".join(answers)


async def fail_in_the_database(database_url: str, send: Send) -> None:
    """Have a request fail deep inside, so that a traceback is logged while secrets are at hand."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("ALTER TABLE sessions RENAME COLUMN address TO elsewhere")
        await send("POST", "/auth/login", json={"username": "hana", "password": NEW_PASSWORD})
    finally:
        await connection.close()


def command_lines() -> str:
    """Return what `ps` shows of every process to every user of the machine."""
    lines = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            lines.append(process.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return "\n".join(lines)


async def test_no_secret_is_where_it_does_not_belong(scene: Scene, redis_url: str) -> None:
    """Not in logs, not in Valkey, not in `ps`, not in answers, not in a file others can read."""
    logs = {part.name: part.log.read_text(errors="replace") for part in scene.system.parts}
    places = {
        **{f"the log of {name}": text for name, text in logs.items()},
        "Valkey": await everything_in(redis_url),
        "an answer": scene.bodies,
        "ps": scene.command_lines,
    }

    found = [
        f"the {kind} stands in {place}"
        for place, text in places.items()
        for kind, secret in scene.canaries.items()
        if secret in text
    ]

    assert found == []
    assert "signed_in" in logs["web"], "the log is not what it was"
    assert "request_failed" in logs["web"], "nothing failed, so nothing was tried"
    assert "cannot talk to the mail system" in scene.bodies, "no login failed"
    assert "/ws/notifications/1" in logs["web"], "no socket was opened"


async def everything_in(redis_url: str) -> str:
    """Return all keys and values, whatever their type."""
    found = []
    async with redis.Redis.from_url(redis_url) as client:
        async for key in client.scan_iter():
            found.append(key)
            with contextlib.suppress(redis.ResponseError):
                found.append(await client.dump(key) or b"")
            kind = await client.type(key)
            if kind == b"list":
                found += await client.lrange(key, 0, -1)
            elif kind == b"hash":
                found += (await client.hgetall(key)).values()
            elif kind == b"string":
                found.append(await client.get(key) or b"")
    return b"\n".join(found).decode(errors="replace")


async def test_the_first_admin_has_a_password_that_nobody_else_has(
    servers: Servers, redis_url: str, tmp_path: Path
) -> None:
    """There is no default password: it is drawn, printed once, and works."""
    shown = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        url = await servers.create_database()
        with System(folder, url, redis_url) as system:
            environment = {
                key: value
                for key, value in system.environment.items()
                if key != "TASUKI_ACCOUNTS__ADMIN_PASSWORD"
            }
            shown.append(await first_words(system, environment))
        await servers.drop_database(url)

    passwords = {words.partition("Admin login: admin / ")[2].split()[0] for words in shown}
    assert len(passwords) == 2
    assert all(len(password) >= 16 for password in passwords)


async def first_words(system: System, environment: dict[str, str]) -> str:
    """Start a web process with no password given and return what it said until it was ready."""
    ready = system.folder / "ready"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tasuki", "web", "--port", "0", "--ready-file", str(ready)),
        env=environment,
        cwd=system.folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(30):
            return (await process.stdout.readline()).decode()
    finally:
        process.kill()
        await process.wait()
