"""What others rely on stands in `contracts/` as files, so that a change of it is a visible diff.

A client reads `openapi.json` and `events.json`; messages outlive a deploy, so `tasks.txt`
keeps names and arguments; `errors.txt` is what programs match on. Each file is made from the
code. A change that is meant is written down with::

    TASUKI_TEST_REWRITE_CONTRACTS=1 ./dev test tests/architecture/test_contracts.py

and read in the diff: is an old client, an old worker or an old message still understood?
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.everything import import_everything
from tasuki.core.errors import all_errors
from tasuki.realtime.channels import nobody
from tasuki.tasks import Task
from tasuki.tasks.batches.schemas import BatchEventOut
from tasuki.tasks.eventdata import EVENT_DATA
from tasuki.tasks.events import EventOut
from tasuki.tasks.states import State
from tasuki.wiring import Settings, Tasuki
from tasuki.wiring.declared import load_declared
from tasuki.wiring.web import create_app

FOLDER = Path(__file__).parents[2] / "contracts"
REWRITE = "TASUKI_TEST_REWRITE_CONTRACTS"


def openapi() -> str:
    """Return the description of the HTTP interface."""
    return _json(create_app(Tasuki(Settings())).openapi())


def tasks() -> str:
    """Return a paragraph per task of Tasuki's own: what stands on the wire, and how it runs."""
    return "\n".join(_task(task) for task in load_declared(()).catalogue.tasks)


def events() -> str:
    """Return the JSON Schema of each event's `data:` line, by the event's type.

    Those of channels stand behind the channel's kind, such as ``user: notification``; a line of
    `/api/v1/events/stream` has them under `data`, a message of a socket has their fields.
    """
    schemas = {"of a batch": BatchEventOut.model_json_schema()}
    for namespace in load_declared(()).namespaces:
        if namespace.may_see is not nobody and namespace.name != "task":
            for kind, data in namespace.events.items():
                schemas[f"{namespace.name}: {kind}"] = data.model_json_schema()
    for kind, data in EVENT_DATA.items():
        schema = EventOut.model_json_schema()
        schema["title"] = kind
        schema["properties"]["type"] = {"const": kind}
        inner = data.model_json_schema()
        schema["$defs"] = inner.pop("$defs", {})
        schema["properties"]["data"] = inner
        schemas[kind] = schema
    return _json(schemas)


def errors() -> str:
    """Return a line per code: what a client may see, and whether trying again may help."""
    import_everything()
    rows = {
        (error.code, error.status.value, "retryable" if error.retryable else "final")
        for error in all_errors()
        if error.__module__.startswith("tasuki.")
    }
    return "".join(f"{code:24}{status}  {retry}\n" for code, status, retry in sorted(rows))


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("openapi.json", openapi),
        ("tasks.txt", tasks),
        ("events.json", events),
        ("errors.txt", errors),
    ],
)
def test_a_contract_is_what_the_code_says(name: str, make: Callable[[], str]) -> None:
    """See the head of this file for what to do when it is red."""
    file, text = FOLDER / name, make()
    if os.environ.get(REWRITE):
        file.write_text(text)

    assert file.read_text() == text, f"{name} changed; if that is meant, set {REWRITE}=1 once"


def test_every_state_has_its_event() -> None:
    """A state nobody is told of would be a hole in every watcher's picture."""
    told = {"running": "started"}

    assert {told.get(state, state) for state in State} <= EVENT_DATA.keys()


def _task(task: Task[..., Any]) -> str:
    retry = task.retry
    timeout = f"{task.timeout.total_seconds():g} s" if task.timeout else "none"
    schema = task.arguments.model_json_schema()
    required = schema.get("required", ())
    arguments = [
        f"    {name}{_optional(is_required=name in required)}: {json.dumps(field, sort_keys=True)}"
        for name, field in schema.get("properties", {}).items()
    ]
    head = (
        f"{task.name}\n    queue {task.queue}, lane {task.lane}, tries {retry.tries}, pauses "
        f"{retry.first.total_seconds():g} s to {retry.cap.total_seconds():g} s, timeout {timeout}"
    )
    return "\n".join([head, *arguments]) + "\n"


def _optional(*, is_required: bool) -> str:
    return "" if is_required else " (optional)"


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
