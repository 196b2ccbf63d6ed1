"""The commands, each in a module of its own; this one only puts them together.

An expected error ends with one line on standard error and the exit code 1; a wrong call with
2, as is usual.
"""

import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.markup import escape
from typer.core import TyperGroup
from typer.main import get_command, get_group

from tasuki.cli.output import errors
from tasuki.core.errors import TasukiError
from tasuki.core.garbage import importing
from tasuki.core.settings import UnknownSetting
from tasuki.wiring.settings import BadSetting

_COMMANDS = {
    "up": "up.up",
    "web": "web.web",
    "worker": "worker.worker",
    "scheduler": "scheduler.scheduler",
    "db": "database.app",
    "user": "accounts.users",
    "token": "accounts.tokens",
    "task": "tasks.app",
    "schedule": "schedules.app",
    "export": "exports.export",
    "mail": "mail.app",
    "demo": "demo.demo",
    "doctor": "doctor.doctor",
}


class _Commands(TyperGroup):
    """Imports a command's module when the command is called, or all of them for the help.

    Each process of a system would otherwise import what the commands of all others need.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        """Return their names in the order of the help."""
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command; none when there is none of this name."""
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(".")
        with importing():
            found = getattr(import_module(f"tasuki.cli.{module}"), name)
        if isinstance(found, typer.Typer):
            command: Any = get_group(found)
        else:
            alone = typer.Typer(add_completion=False, rich_markup_mode="rich")
            alone.command()(found)
            command = get_command(alone)
        command.name = cmd_name
        return command


app = typer.Typer(
    name="tasuki",
    cls=_Commands,
    help="Background work that people can watch, for FastAPI and Celery.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


@app.callback()
def options(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(help="Settings file in TOML; default: tasuki.toml in this folder."),
    ] = None,
) -> None:
    """Background work that people can watch, for FastAPI and Celery."""
    context.obj = config


def main() -> None:
    """Run the command line.

    Modules with one's own tasks are looked for in this folder first, as `python -m tasuki` does.
    """
    sys.path.insert(0, "")
    try:
        app()
    except TasukiError as exc:
        _fail(exc.detail)
    except ValidationError as exc:
        _fail(_settings_faults(exc))
    except (
        UnknownSetting,
        BadSetting,
        FileNotFoundError,
        PermissionError,
        OSError,
    ) as exc:
        _fail(str(exc))


def _fail(message: str) -> None:
    errors.print(f"[red]Error:[/red] {escape(message)}", highlight=False, soft_wrap=True)
    sys.exit(1)


def _settings_faults(exc: ValidationError) -> str:
    """Say each wrong setting by its environment name, without its value: it may be a secret."""
    lines = [
        f"TASUKI_{'__'.join(str(part).upper() for part in fault['loc'])}: {fault['msg']}"
        for fault in exc.errors()
    ]
    return "; ".join(lines)
