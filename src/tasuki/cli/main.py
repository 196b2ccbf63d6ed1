"""The commands, each in a module of its own; this one only puts them together.

An expected error ends with one line on standard error and the exit code 1; a wrong call with
2, as is usual.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.markup import escape

from tasuki.cli import accounts, database, demo, doctor, processes, tasks, up
from tasuki.cli.output import errors
from tasuki.core.errors import TasukiError
from tasuki.core.settings import UnknownSetting
from tasuki.wiring.services import ModuleNotLoaded
from tasuki.wiring.settings import BadSetting

app = typer.Typer(
    name="tasuki",
    help="Background work that people can watch, for FastAPI and Celery.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command("up")(up.up)
app.command("web")(processes.web)
app.command("worker")(processes.worker)
app.command("scheduler")(processes.scheduler)
app.add_typer(database.app, name="db")
app.add_typer(accounts.users, name="user")
app.add_typer(accounts.tokens, name="token")
app.add_typer(tasks.app, name="task")
app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)


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
    """Run the command line."""
    try:
        app()
    except TasukiError as exc:
        _fail(exc.detail)
    except ValidationError as exc:
        _fail(_settings_faults(exc))
    except (
        UnknownSetting,
        BadSetting,
        ModuleNotLoaded,
        FileNotFoundError,
        PermissionError,
        OSError,
    ) as exc:
        _fail(str(exc))


def _fail(message: str) -> None:
    errors.print(f"[red]Error:[/red] {escape(message)}", highlight=False)
    sys.exit(1)


def _settings_faults(exc: ValidationError) -> str:
    """Say each wrong setting by its environment name, without its value: it may be a secret."""
    lines = [
        f"TASUKI_{'__'.join(str(part).upper() for part in fault['loc'])}: {fault['msg']}"
        for fault in exc.errors()
    ]
    return "; ".join(lines)
