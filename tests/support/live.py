"""The real application and an io worker's engine in the test's own loop, on a real port.

Starts in a fraction of a second, where `support.system` starts real processes in several.
Nothing runs a task until a test says `work`, so a test decides when what happens.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import structlog
import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr
from typer.testing import CliRunner

from support.client import Client
from tasuki.accounts import SessionService, TokenService, UserService
from tasuki.accounts.records import Role
from tasuki.cli.main import app as command_line
from tasuki.core.database import Database
from tasuki.core.notices import Notices
from tasuki.mail.settings import MailSettings
from tasuki.tasks.engine.engine import Engine
from tasuki.tasks.engine.stopsign import StopSign
from tasuki.tasks.settings import TasksSettings
from tasuki.web.server import listen, server_config
from tasuki.web.settings import WebSettings
from tasuki.wiring import Settings, Tasuki
from tasuki.wiring.engines import WorkerEngine
from tasuki.wiring.people import OwnAccounts
from tasuki.wiring.services import build_services
from tasuki.wiring.web import create_app

MODULES = ("support.jobs",)
BODY_LIMIT = 65_536
"""Bytes of the largest body that a `Live` takes."""


_IS_DUE = """
SELECT EXISTS (
    SELECT FROM tasks
    WHERE queue = $1 AND lane = 'io' AND available_at <= now()
      AND state IN ('scheduled', 'queued', 'retrying')
      AND (expires_at IS NULL OR expires_at > now()))
"""


@dataclass
class Live:
    """A web process and a worker without processes.

    Attributes:
        url: Where it answers.
    """

    app: FastAPI
    url: str
    tasuki: Tasuki
    engine: Engine
    clients: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def database(self) -> Database:
        """The web process's own pool."""
        return self.tasuki.services.get(Database)

    def files(self) -> list[Path]:
        """Return the files that tasks left."""
        folder = self.tasuki.settings.files_folder
        return [path for path in folder.rglob("*") if path.is_file()]

    def watchers(self, task_id: str) -> int:
        """Return how many streams listen to a task in the web process."""
        notices: Any = self.tasuki.services.get(Notices)
        return len(notices._local._waiters.get(f"task:{task_id}", ()))

    async def work(self, queue: str = "default") -> int:
        """Run what is due, as a worker does when a bell rings; return how many tasks."""
        assert self.engine.pump is not None
        count = await self.engine.pump.answer(queue)
        # A claim passes over what a dispatcher holds in that moment; a real worker would find
        # it with the bell that is being rung.
        while await self._is_due(queue):
            count += await self.engine.pump.answer(queue)
        return count

    async def _is_due(self, queue: str) -> bool:
        async with self.database.driver() as connection:
            is_due: bool = await connection.fetchval(_IS_DUE, queue)
        return is_due

    @asynccontextmanager
    async def working(self, queue: str = "default") -> AsyncGenerator[None]:
        """Run what is due while the block runs."""
        running = asyncio.create_task(self.work(queue))
        try:
            yield
        finally:
            async with asyncio.timeout(10):
                await running

    async def command(
        self,
        *args: str,
        code: int = 0,
        env: Mapping[str, str] | None = None,
        stdin: str | None = None,
    ) -> str:
        """Run the command line on the same servers and return what it printed."""
        variables = {
            "TASUKI_DATABASE_URL": self.tasuki.settings.need_database_url(),
            "TASUKI_REDIS_URL": self.tasuki.settings.need_redis_url(),
            "TASUKI_TASKS__MODULES": '["support.jobs"]',
            "COLUMNS": "200",
            **(env or {}),
        }
        ended = await asyncio.to_thread(
            CliRunner().invoke, command_line, list(args), env=variables, input=stdin
        )
        assert ended.exit_code == code, f"{ended.output}{ended.exception!r}"
        return ended.output

    async def client(self, **headers: str) -> Client:
        """Return a client that is nobody."""
        return await self.clients.enter_async_context(
            # Loading the certificates that plain HTTP does not need takes longer than a test.
            Client(base_url=self.url, timeout=10, headers=headers, verify=False)
        )

    async def add_user(
        self,
        username: str,
        *,
        role: Role = "user",
        scopes: tuple[str, ...] = (),
        password: str | None = None,
    ) -> int:
        """Make a user and return their id."""
        async with self.database.unit_of_work() as session:
            user = await self.tasuki.services.get(UserService).create(
                session,
                username=username,
                email=f"{username}@example.org",
                role=role,
                scopes=scopes,
                password=password,
            )
        return user.id

    async def browser(self, user_id: int) -> Client:
        """Return a browser in which a user has just signed in."""
        async with self.database.unit_of_work() as session:
            secret = await self.tasuki.services.get(SessionService).begin(
                session, user_id, address="192.0.2.1", user_agent="test"
            )
        client = await self.client()
        client.cookies.set("tasuki_session", secret)
        return client

    async def user(
        self, username: str, *, role: Role = "user", scopes: tuple[str, ...] = ()
    ) -> Client:
        """Make a user and return a browser in which they are signed in."""
        return await self.browser(await self.add_user(username, role=role, scopes=scopes))

    async def program(self, user_id: int) -> Client:
        """Return a program that has an API token of a user."""
        async with self.database.unit_of_work() as session:
            _, token = await self.tasuki.services.get(TokenService).create(
                session, user_id, name="test"
            )
        return await self.client(Authorization=f"Bearer {token}")


def live_settings(
    database_url: str, redis_url: str, folder: Path, *, modules: tuple[str, ...] = MODULES
) -> Settings:
    """Return settings with short times."""
    return Settings(
        database_url=SecretStr(database_url),
        redis_url=SecretStr(redis_url),
        data_dir=folder,
        tasks=TasksSettings(modules=modules, lease_s=5, look_every_s=0.2),
        web=WebSettings(max_body_bytes=BODY_LIMIT, drain_s=0),
        mail=MailSettings(host="127.0.0.1", port=9, tls="none"),  # nobody is there
    )


@asynccontextmanager
async def running_live(settings: Settings, *, is_plain: bool = False) -> AsyncGenerator[Live]:
    """Serve the application until the block ends.

    Args:
        is_plain: By a server that knows ASGI and nothing of ours.
    """
    # structlog's default prints every local variable of a traceback, which takes minutes.
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
        ]
    )
    tasuki = Tasuki(settings)
    app = create_app(tasuki)
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serving(app, tasuki, is_plain=is_plain))
        build = WorkerEngine(
            settings=settings,
            declared=tasuki.declared,
            lane="io",
            sign=StopSign(),
            services=lambda ground: build_services(ground, OwnAccounts(settings, are_all=False)),
        )
        engine = await build(asyncio.get_running_loop(), lambda _run: None)
        stack.push_async_callback(engine.close)
        engine.start()
        live = Live(app=app, url=url, tasuki=tasuki, engine=engine)
        async with live.clients:
            yield live


class _Quiet(uvicorn.Server):
    """A server that leaves the signals to pytest."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


@asynccontextmanager
async def serving(app: FastAPI, tasuki: Tasuki, *, is_plain: bool = False) -> AsyncGenerator[str]:
    """Serve an application on a free port of this machine and give its address."""
    config = server_config(app, tasuki.settings.web)
    if is_plain:
        config.http, config.ws = "httptools", "websockets-sansio"
    server = _Quiet(config)
    with listen(WebSettings(port=0)) as listener:
        host, port = listener.getsockname()
        running = asyncio.create_task(server.serve(sockets=[listener]), name="uvicorn")
        try:
            url = f"http://{host}:{port}"
            await _answers(url, running)
            yield url
        finally:
            await tasuki.stop_streams()
            server.should_exit = True
            async with asyncio.timeout(10):
                await running


async def _answers(url: str, running: "asyncio.Task[None]") -> None:
    async with asyncio.timeout(20), httpx.AsyncClient() as client:
        while not running.done():
            with contextlib.suppress(httpx.TransportError):
                await client.get(f"{url}/healthz")
                return
            await asyncio.sleep(0.01)
    raise AssertionError("the application did not start")
