"""What is imported when: every public name is there, and small processes stay small."""

import subprocess
import sys
from importlib import import_module

import pytest

FACES = ("tasuki", "tasuki.accounts", "tasuki.tasks", "tasuki.wiring")
HEAVY = {"alembic", "celery", "fastapi", "sqlalchemy", "typst"}


@pytest.mark.parametrize("face", FACES)
def test_a_face_has_every_name_it_promises(face: str) -> None:
    """The names are found when they are first used; a misspelt room would show only then."""
    package = import_module(face)

    for name in package.__all__:
        assert getattr(package, name) is not None


@pytest.mark.parametrize("face", FACES)
def test_a_face_refuses_a_name_it_does_not_have(face: str) -> None:
    """As any module does; `hasattr` and `from … import` rely on it."""
    with pytest.raises(AttributeError, match="nonsense"):
        _ = import_module(face).nonsense


@pytest.mark.parametrize(
    ("command", "unwanted"),
    [
        ("up", HEAVY),
        ("worker", {"alembic", "fastapi"}),
        ("scheduler", {"alembic", "fastapi"}),
        ("web", {"alembic"}),
    ],
)
def test_a_command_imports_what_it_needs_and_no_more(command: str, unwanted: set[str]) -> None:
    """Five processes start at once; each import that is not needed delays the first result."""
    script = f"import sys, tasuki.cli.main, tasuki.cli.{command}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )

    assert not unwanted & set(done.stdout.split())


def test_the_help_lists_every_command() -> None:
    """Commands are imported when they are called, and all of them for the help."""
    done = subprocess.run(
        [sys.executable, "-m", "tasuki", "--help"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    for command in ("up", "web", "worker", "scheduler", "db", "user", "token", "task", "demo"):
        assert f" {command} " in done.stdout
