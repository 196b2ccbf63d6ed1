"""`tasuki up`: the whole system with one command, servers included."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from tasuki.cli.output import errors, say, settings_of, with_address
from tasuki.embedded import (
    EmbeddedError,
    PostgresServer,
    Server,
    Service,
    ValkeyServer,
    locked,
    ready_file,
    run,
)
from tasuki.embedded.datadir import kept_port, write_private
from tasuki.tasks.states import WORKER_LANES
from tasuki.wiring.migrations.steps import all_steps
from tasuki.wiring.settings import RUNNING_FILE, Settings, catching_mail

_STOP_GRACE_S = 5  # running tasks get so long; then they go back to the queue
_STOP_TIMEOUT_S = 15.0
_START_TIMEOUT_S = 60.0


def up(
    context: typer.Context,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="TCP port; 0 takes a free one.")] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Where the servers keep their data; default: .tasuki")
    ] = None,
    workers: Annotated[bool, typer.Option(help="Whether to start the workers.")] = True,
) -> None:
    """Start everything: database, Valkey, web, workers, scheduler. Ctrl-C stops it all.

    Servers whose URL is set (TASUKI_DATABASE_URL, TASUKI_REDIS_URL) are used, not started.
    Without TASUKI_MAIL__HOST mails are caught, not delivered; admins read them at /mail/inbox.

    [dim]Example: tasuki up --port 8080[/dim]
    """
    settings = with_address(
        settings_of(context, beside_running=False, data_dir=data_dir), host, port
    )
    try:
        with locked(settings.data_dir) as lock:
            code = _run(settings, context.find_root().obj, lock, workers=workers)
    except EmbeddedError as exc:
        errors.print(f"[red]Error:[/red] {exc}", highlight=False, markup=True)
        code = 2
    raise typer.Exit(code)


def _run(settings: Settings, config: Path | None, lock: int, *, workers: bool) -> int:
    plan = _Plan(settings, config, settings.data_dir.absolute())
    with plan.announced():
        return asyncio.run(
            run(plan.services(with_workers=workers), on_ready=plan.say_ready, keep_open=[lock])
        )


@dataclass
class _Plan:
    """What to start, in which order, with which environment."""

    settings: Settings
    config: Path | None
    folder: Path

    def __post_init__(self) -> None:
        self._servers: list[Server] = []
        self._urls: dict[str, str] = {}
        if self.settings.database_url is None:
            postgres = PostgresServer.prepare(self.folder)
            self._servers.append(postgres)
            self._urls["database_url"] = postgres.url
        if self.settings.redis_url is None:
            valkey = ValkeyServer.prepare(self.folder)
            self._servers.append(valkey)
            self._urls["redis_url"] = valkey.url
        self._mail_port: int | None = None
        if self.settings.mail.host is None:
            self._mail_port = kept_port(self.folder / "mail.port")
        self._ready = self.folder / "ready"
        self._ready.mkdir(mode=0o700, exist_ok=True)
        self._schema = self.folder / "schema"
        self._admin = self.folder / "first-admin"

    @contextlib.contextmanager
    def announced(self) -> Generator[None]:
        """Let other commands find the servers while they run."""
        file = self.folder / RUNNING_FILE
        mail = {} if self._mail_port is None else {"mail_port": self._mail_port}
        write_private(file, json.dumps({**self._urls, **mail}))
        try:
            yield
        finally:
            file.unlink(missing_ok=True)

    def services(self, *, with_workers: bool) -> list[Service]:
        """Return all services: servers, then the schema where it is not known to be new."""
        found = [self._server(server) for server in self._servers]
        before = [server.name for server in self._servers]
        if not self._is_schema_new():
            setup = ("db", "upgrade", "--marker", self._schema, "--admin-file", self._admin)
            found.append(
                Service(
                    name="setup",
                    argv=self._command(*setup),
                    env=self._env(),
                    after=before,
                    once=True,
                    start_timeout_s=_START_TIMEOUT_S,
                )
            )
            before = ["setup", *before]
        web = self.settings.web
        found.append(self._part("web", before, "--host", web.host, "--port", web.port))
        if with_workers:
            grace = ("--stop-grace-s", _STOP_GRACE_S)
            found += [
                self._part("worker", before, "--lane", lane, *grace) for lane in WORKER_LANES
            ]
        found.append(self._part("scheduler", before))
        if self._mail_port is not None:
            found.append(self._part("mail", before, "catch", "--port", self._mail_port))
        return found

    def say_ready(self) -> None:
        """Print where to go, once everything runs."""
        address = (self._ready / "web").read_text()
        if self._admin.exists():
            say(f"Admin login: admin / {self._admin.read_text().strip()}")
            self._admin.unlink()
        say(f"Tasuki is ready at {address}")

    def _server(self, server: Server) -> Service:
        return Service(
            name=server.name,
            argv=server.argv,
            env=server.env,
            ready=server.ready,
            stop_signal=server.stop_signal,
            start_timeout_s=_START_TIMEOUT_S,
        )

    def _part(self, command: str, after: Sequence[str], *options: object) -> Service:
        lane = options[1] if command == "worker" else None
        name = f"{lane}-worker" if lane else command
        ready = self._ready / name
        return Service(
            name=name,
            argv=self._command(command, *options, "--ready-file", ready),
            env=self._env(),
            after=after,
            ready=ready_file(ready),
            start_timeout_s=_START_TIMEOUT_S,
            stop_timeout_s=_STOP_TIMEOUT_S,
        )

    def _command(self, *words: object) -> list[str]:
        config = ["--config", str(self.config.absolute())] if self.config else []
        return [sys.executable, "-m", "tasuki", *config, *(str(word) for word in words)]

    def _env(self) -> Mapping[str, str]:
        urls = {f"TASUKI_{name.upper()}": url for name, url in self._urls.items()}
        alone = {"TASUKI_WEB__DRAIN_DELAY_S": "0"}  # nobody balances the load of one process
        own = {"TASUKI_DATA_DIR": str(self.folder), "PYTHONUNBUFFERED": "1"}
        return {**alone, **os.environ, **own, **urls, **self._mail_env()}

    def _mail_env(self) -> Mapping[str, str]:
        if self._mail_port is None:
            return {}
        caught = catching_mail(self._mail_port)
        return {f"TASUKI_MAIL__{name.upper()}": str(value) for name, value in caught.items()}

    def _is_schema_new(self) -> bool:
        """Whether the embedded database was brought to this version's schema before."""
        is_embedded = "database_url" in self._urls
        return is_embedded and self._schema.exists() and self._schema.read_text() == all_steps()
