"""`tasuki doctor`: is everything there that this installation needs?"""

import asyncio
import os
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import redis.asyncio as redis
import typer
from pydantic import BaseModel
from redis.exceptions import RedisError
from rich.table import Table
from rich.text import Text

from tasuki.cli.output import out, settings_of
from tasuki.core.database import Database
from tasuki.core.errors import TasukiError
from tasuki.core.settings import ENV_PREFIX, SettingsGroup
from tasuki.mail.smtp import SmtpTransport
from tasuki.tasks.celery import broker_answers
from tasuki.tasks.states import WORKER_LANES
from tasuki.wiring import Settings
from tasuki.wiring.declared import load_declared
from tasuki.wiring.migrations import runner
from tasuki.wiring.observing import task_numbers

_WITHIN_S = 10.0

Check = Callable[[Settings], Awaitable[str]]


def doctor(
    context: typer.Context,
    show_settings: Annotated[
        bool, typer.Option("--settings", help="List all settings instead.")
    ] = False,
) -> None:
    """Check settings, database, schema, Valkey, broker, files and mail; exit 1 on a fault.

    [dim]Example: tasuki doctor[/dim]
    """
    if show_settings:
        _list_settings()
        return
    settings = settings_of(context)
    results = asyncio.run(_examine(settings))
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, is_well, words in results:
        mark = Text("ok", style="green") if is_well else Text("FAULT", style="red")
        table.add_row(mark, name, Text(words))
    out.print(f"Tasuki {version('tasuki')}", highlight=False)
    out.print(table)
    if not all(is_well for _, is_well, _ in results):
        raise typer.Exit(1)


async def _examine(settings: Settings) -> list[tuple[str, bool, str]]:
    checks: dict[str, Check] = {
        "tasks": _tasks,
        "database": _database,
        "schema": _schema,
        "valkey": _valkey,
        "broker": _broker,
        "files": _files,
        "mail": _mail,
        "workers": _workers,
    }
    results: list[tuple[str, bool, str]] = []
    for name, check in checks.items():
        try:
            async with asyncio.timeout(_WITHIN_S):
                results.append((name, True, await check(settings)))
        except TimeoutError:
            results.append((name, False, f"no answer within {_WITHIN_S:g} s"))
        except (TasukiError, ValueError, OSError, RedisError) as exc:
            results.append((name, False, str(exc)))
    return results


async def _tasks(settings: Settings) -> str:
    catalogue = load_declared(settings.tasks.modules).catalogue
    return f"{len(catalogue.names)} declared: {', '.join(catalogue.names)}"


async def _database(settings: Settings) -> str:
    database = Database(settings.need_database_url(), pool_size=1, name="tasuki doctor")
    try:
        async with database.driver() as connection:
            return f"PostgreSQL {await connection.fetchval('SHOW server_version')}"
    finally:
        await database.close()


async def _schema(settings: Settings) -> str:
    found = await runner.differences(settings.need_database_url())
    if found:
        raise ValueError(f"{found[0]}; run `tasuki db upgrade`")
    return f"at {runner.head()}"


async def _valkey(settings: Settings) -> str:
    client = redis.Redis.from_url(
        settings.need_redis_url(), socket_connect_timeout=2, socket_timeout=5
    )
    try:
        info = await client.info("server")
        name = info.get("server_name", "redis")
        return f"{name} {info.get(f'{name}_version', info['redis_version'])}"
    finally:
        await client.aclose()


async def _broker(settings: Settings) -> str:
    return await asyncio.to_thread(broker_answers, settings.need_broker_url())


async def _files(settings: Settings) -> str:
    folder = settings.files_folder
    return await asyncio.to_thread(_try_folder, folder)


async def _mail(settings: Settings) -> str:
    """Connect and log in; without a mail system nothing is sent, which is no fault."""
    if settings.mail.host is None:
        return "no TASUKI_MAIL__HOST: nothing is sent"
    transport = SmtpTransport(settings.mail)
    address = f"{settings.mail.host}:{settings.mail.port}"
    note = "only catches mails, delivers none; " if settings.mail.caught else ""
    return f"{note}{address} says {await transport.check()}"


async def _workers(settings: Settings) -> str:
    """Count the living; none is no fault of an installation that is not running yet."""
    database = Database(settings.need_database_url(), pool_size=1, name="tasuki doctor")
    try:
        async with database.driver() as connection:
            if await connection.fetchval("SELECT to_regclass('workers')") is None:
                return "none known: the schema is older than this"
        found = await task_numbers(settings, database).workers()
    finally:
        await database.close()
    lanes = Counter(worker.lane for worker in found)
    if not lanes:
        return "none alive; tasks wait until there are"
    alive = ", ".join(f"{count} {lane}" for lane, count in lanes.items())
    missing = [lane for lane in WORKER_LANES if lane not in lanes]
    return f"{len(found)} alive: {alive}" + "".join(f"; none serves {lane}" for lane in missing)


def _try_folder(folder: Path) -> str:
    """Write, read and delete a file where artifacts are kept."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        file.write(b"tasuki")
        file.flush()
        os.fsync(file.fileno())
    free = os.statvfs(folder)
    return f"{folder} is writable, {free.f_bavail * free.f_frsize / 1e9:.1f} GB free"


def _list_settings() -> None:
    table = Table("setting", "default", "meaning", box=None, pad_edge=False)
    for name, default, meaning in _rows(Settings, ENV_PREFIX):
        table.add_row(name, default, Text(meaning))
    out.print(table)


def _rows(model: type[BaseModel], prefix: str) -> list[tuple[str, str, str]]:
    rows: list[tuple[str, str, str]] = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, SettingsGroup):
            rows += _rows(kind, f"{prefix}{name.upper()}__")
        else:
            default = "" if field.default is None else str(field.default)
            rows.append((f"{prefix}{name.upper()}", default, field.description or ""))
    return rows
