"""The pages of `docs/reference/`, made from the code that they describe."""

import asyncio
import inspect
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any

from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from pydantic import BaseModel
from typer.main import get_command

from support.everything import import_everything
from tasuki.cli.main import app
from tasuki.core.errors import TasukiError, all_errors
from tasuki.core.notices import MemoryNotices
from tasuki.core.settings import ENV_PREFIX, SettingsGroup
from tasuki.realtime.channels import Namespaces, nobody
from tasuki.realtime.connections import ConnectionManager
from tasuki.realtime.hub import Hub
from tasuki.realtime.memory import MemoryBroker
from tasuki.realtime.metrics import realtime_metrics
from tasuki.realtime.settings import RealtimeSettings
from tasuki.tasks import Task
from tasuki.tasks.batches.schemas import BatchEventOut
from tasuki.tasks.eventdata import EVENT_DATA
from tasuki.tasks.events import EventOut
from tasuki.tasks.observing.metrics import ProcessNumbers, render
from tasuki.tasks.observing.records import Picture
from tasuki.tasks.states import CELERY_WORDS, TERMINAL
from tasuki.wiring import Settings, Tasuki
from tasuki.wiring.declared import load_declared
from tasuki.wiring.web import create_app

Row = tuple[str, ...]


def settings() -> str:
    """Return the page of all settings."""
    lines = [
        *_prose(
            """From the environment, or from `tasuki.toml` in the folder where the command runs
            (another file: `tasuki --config FILE …`), where `TASUKI_WEB__PORT` is `port` under
            `[web]`. The environment counts first. A name that is no setting is an error.
            `tasuki doctor` checks what is set; `tasuki doctor --settings` lists what can be."""
        ),
        "",
        *_table(("Setting", "Default", "Meaning"), _own_settings(Settings, ENV_PREFIX)),
    ]
    for name, field in Settings.model_fields.items():
        group = field.annotation
        if isinstance(group, type) and issubclass(group, SettingsGroup):
            title = _first_paragraph(group).partition(" Read from")[0].rstrip(".")
            rows = _own_settings(group, f"{ENV_PREFIX}{name.upper()}__")
            lines += ["", f"## {title}", "", *_table(("Setting", "Default", "Meaning"), rows)]
    return _page("Settings", lines)


def errors() -> str:
    """Return the page of all errors a client or a task may meet."""
    import_everything()
    known = [error for error in all_errors() if error.__module__.startswith("tasuki.")]
    codes: dict[str, list[type[TasukiError]]] = {}
    for error in known:
        codes.setdefault(error.code, []).append(error)
    rows = [
        (
            f"`{code}`",
            str(int(kinds[0].status)),
            "yes" if kinds[0].retryable else "no",
            " ".join(f"{kind.title}: {_first_paragraph(kind)}" for kind in kinds),
        )
        for code, kinds in codes.items()
    ]
    return _page(
        "Errors",
        [
            *_prose(
                """Every error over HTTP is `application/problem+json` (RFC 9457): `type`, `title`,
                `status`, `detail`, `code`, `error_id`, and for invalid input `errors`, a list of
                `{loc, msg}`. Match on `code`; it is stable. `error_id` stands in the server's log
                as well. *Again* says whether the same call may succeed later; then `Retry-After`
                says when. Those with status 500 are raised in workers and stand in a task's
                `error`."""
            ),
            "",
            *_table(("Code", "Status", "Again", "Meaning"), rows),
        ],
    )


def events() -> str:
    """Return the page of all events of tasks and batches."""
    lines = [
        *_prose(
            """`GET /api/v1/tasks/{id}/events` and `GET /api/v1/batches/{id}/events` are
            Server-Sent Events. `id:` is `EPOCH.SEQ`; send it back as `Last-Event-ID` to go on
            after it (an `EventSource` does so by itself). A comment every 15 seconds keeps proxies
            content. The JSON Schema of each event is in `contracts/events.json`."""
        ),
        "",
        "Each `data:` line of a task's stream is an object:",
        "",
        *_fields(EventOut),
        "",
        "What its `data` holds depends on the type:",
    ]
    for kind, data in EVENT_DATA.items():
        ends = " It ends the stream." if kind in TERMINAL else ""
        lines += ["", f"## `{kind}`", "", _sentence(data) + ends]
        if data.model_fields:
            lines += ["", *_fields(data)]
    lines += [
        "",
        "## Of a batch",
        "",
        "`snapshot` comes first, `progress` at most four times a second, `completed` last.",
        "",
        *_fields(BatchEventOut),
        "",
        "## Of channels",
        "",
        *_prose(
            """`GET /api/v1/events/stream?channel=…` follows channels. Each `data:` line is an
            object: `channel`, `offset`, `type`, `at` and `data`. What `data` holds depends on the
            type; those of `task:ID` are the task's, without the snapshot. An event whose `offset`
            is null is told now and never again; one that says `reset` names under `channels` those
            whose history does not reach back to where you were."""
        ),
        *_channels(),
        "",
        "## States in Celery's words",
        "",
        "`GET /api/v1/tasks/task-status/{id}` says them.",
        "",
        *_table(
            ("State", "Celery"),
            [(f"`{state}`", f"`{word}`") for state, word in CELERY_WORDS.items()],
        ),
    ]
    return _page("Events", lines)


def _channels() -> Iterator[str]:
    for namespace in load_declared(()).namespaces:
        if namespace.may_see is nobody or namespace.name == "task":
            continue
        name = f"{namespace.name}:ID" if namespace.has_keys else namespace.name
        for kind, data in namespace.events.items():
            yield from ("", f"### `{name}`: `{kind}`", "", _sentence(data))
            if data.model_fields:
                yield from ("", *_fields(data))


def cli() -> str:
    """Return the page of all commands."""
    lines = _prose(
        """`./dev tasuki …` in a clone, `tasuki …` where the package is installed. Results go to
        standard output, all else to standard error. Exit codes: 0, 1 for an error, 2 for a wrong
        call."""
    )
    for name, command in _commands("tasuki", get_command(app)):
        arguments = [param for param in command.params if not param.opts[0].startswith("-")]
        usage = " ".join([name, *(_usage(param) for param in arguments)])
        text, _, example = command.help.partition("[dim]Example: ")
        lines += ["", f"## `{usage}`", "", _joined(text)]
        rows = [
            (_option(param), _default_of(param), param.help or "")
            for param in command.params
            if not getattr(param, "hidden", False) and "--help" not in param.opts
        ]
        if rows:
            lines += ["", *_table(("Argument or option", "Default", "Meaning"), rows)]
        if example:
            lines += ["", f"Example: `{example.removesuffix('[/dim]').strip()}`"]
    return _page("Command line", lines)


def http() -> str:
    """Return the page of all routes."""
    described = create_app(Tasuki(Settings())).openapi()
    groups: dict[str, list[Row]] = {}
    for path, methods in described["paths"].items():
        for method, route in methods.items():
            call = f"`{method.upper()} {path}`"
            group = (route.get("tags") or ["other"])[0]
            groups.setdefault(group, []).append((call, _joined(route.get("description", ""))))
    lines = _prose(
        """The whole description, with all bodies and answers, is served at `/openapi.json` and
        kept in `contracts/openapi.json`. Sign in with `Authorization: Bearer TOKEN`, or with the
        session's cookie. [Errors](errors.md) and [events](events.md) have pages of their own."""
    )
    for group, rows in sorted(groups.items()):
        lines += ["", f"## {group.capitalize()}", "", *_table(("Call", "Does"), rows)]
    return _page("HTTP", lines)


def tasks() -> str:
    """Return the page of the tasks and schedules that are always there."""
    declared = load_declared(())
    lines = _prose(
        """These come with Tasuki. Your own are listed by `tasuki doctor`. Ordering one by name
        needs the scope `task:NAME`; an admin has every scope."""
    )
    for task in declared.catalogue.tasks:
        lines += ["", f"## `{task.name}`", "", _joined(_paragraph_of(task.run)), ""]
        lines += [f"Queue `{task.queue}`, lane `{task.lane}`, {_persistence(task)}."]
        if task.arguments.model_fields:
            lines += ["", *_arguments(task.arguments)]
    rows = [
        (
            f"`{schedule.name}`",
            f"`{schedule.task.name}`",
            str(schedule.at),
            schedule.catch_up.value,
        )
        for schedule in declared.schedules
    ]
    head = ("Schedule", "Task", "When", "Missed slots")
    return _page("Tasks and schedules", [*lines, "", "## Schedules", "", *_table(head, rows)])


async def _realtime_metrics() -> list[Metric]:
    hub = Hub(namespaces=Namespaces(), broker=MemoryBroker(), notices=MemoryNotices(), tables={})
    return list(realtime_metrics(ConnectionManager(hub, RealtimeSettings()), broker_lag_s=0))


def metrics() -> str:
    """Return the page of what `/metrics` tells."""
    nothing = ProcessNumbers(**dict.fromkeys(ProcessNumbers.__dataclass_fields__, 0))
    picture = Picture(standing=[], counts=[], workers=[])
    text, _ = render(picture, nothing, asyncio.run(_realtime_metrics()), accept="")
    rows = [
        (f"`{family.name}`", family.type, family.documentation)
        for family in text_string_to_metric_families(text.decode())
    ]
    return _page(
        "Metrics",
        [
            *_prose(
                """`GET /metrics` needs the scope `metrics:read`. All but `tasuki_process_…` is the
                same whichever web process is asked: one of them is enough."""
            ),
            "",
            *_table(("Name", "Type", "Meaning"), rows),
        ],
    )


PAGES: dict[str, Callable[[], str]] = {
    "settings": settings,
    "errors": errors,
    "events": events,
    "cli": cli,
    "http": http,
    "tasks": tasks,
    "metrics": metrics,
}


def _page(title: str, lines: Iterable[str]) -> str:
    return "\n".join([f"# {title}", "", *lines]) + "\n"


def _prose(text: str) -> list[str]:
    return textwrap.wrap(_joined(text), width=100, break_long_words=False)


def _table(head: Row, rows: Iterable[Row]) -> list[str]:
    return [_row(head), "|" + "---|" * len(head), *(_row(row) for row in rows)]


def _row(cells: Row) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _own_settings(model: type[BaseModel], prefix: str) -> Iterator[Row]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if not (isinstance(kind, type) and issubclass(kind, SettingsGroup)):
            meaning = f"{field.description or ''}{_limits(field.metadata)}"
            yield f"`{prefix}{name.upper()}`", _default(field.default), meaning


def _limits(metadata: Iterable[Any]) -> str:
    words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    found = [
        f"{text} {getattr(limit, name):g}"
        for limit in metadata
        for name, text in words.items()
        if getattr(limit, name, None) is not None
    ]
    return f" ({', '.join(found)})" if found else ""


def _default_of(param: Any) -> str:
    return "required" if param.required else _default(param.default)


def _default(value: Any) -> str:
    if value is None or value is ... or value in ((), False):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _fields(model: type[BaseModel]) -> list[str]:
    schema = model.model_json_schema()
    rows = [
        (f"`{name}`", _kind(field), _joined(field.get("description", "")))
        for name, field in schema["properties"].items()
    ]
    return _table(("Field", "Kind", "Meaning"), rows)


def _arguments(model: type[BaseModel]) -> list[str]:
    rows = [
        (f"`{name}`", _kind(field), _default(field.get("default")) or "required")
        for name, field in model.model_json_schema()["properties"].items()
    ]
    return _table(("Argument", "Kind", "Default"), rows)


def _kind(field: dict[str, Any]) -> str:
    if "anyOf" in field:
        return " or ".join(_kind(kind) for kind in field["anyOf"])
    if "$ref" in field:
        return f"`{field['$ref'].rpartition('/')[2]}`"
    if "const" in field or "enum" in field:
        return ", ".join(f"`{value}`" for value in field.get("enum", [field.get("const")]))
    kind = {"array": "list", "object": "object"}.get(field.get("type", ""), field.get("type"))
    return str(field.get("format") or kind or "anything")


def _sentence(model: type[BaseModel]) -> str:
    return _joined(_paragraph_of(model))


def _first_paragraph(kind: type) -> str:
    return _joined(_paragraph_of(kind)).replace("``", "`")


def _paragraph_of(thing: Any) -> str:
    return (inspect.getdoc(thing) or "").partition("\n\n")[0]


def _joined(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _commands(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "list_commands"):
        yield name, command
        return
    for child in command.list_commands(None):
        yield from _commands(f"{name} {child}", command.get_command(None, child))


def _usage(param: Any) -> str:
    word = param.name.upper() + ("…" if param.nargs == -1 or param.multiple else "")
    return word if param.required else f"[{word}]"


def _option(param: Any) -> str:
    if not param.opts[0].startswith("-"):
        return f"`{param.name.upper()}`"
    return ", ".join(f"`{name}`" for name in (*param.opts, *param.secondary_opts))


def _persistence(task: Task[..., Any]) -> str:
    retry = task.retry
    tries = "one try" if retry.tries == 1 else f"{retry.tries} tries"
    return f"{tries}, {_span(task.timeout)}"


def _span(timeout: timedelta | None) -> str:
    return f"at most {timeout.total_seconds():g} s each" if timeout else "no time limit"
