"""A PostgreSQL of one's own: one folder, loopback only, random passwords."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tasuki.embedded.binaries import PostgresPrograms, find_postgres
from tasuki.embedded.datadir import kept_port, private_folder, secret
from tasuki.embedded.errors import ForeignDatabase, StartFailed
from tasuki.embedded.leftovers import stop_leftover
from tasuki.embedded.privileges import hand_over, prefix_without_root

_INITDB_LIMIT_S = 120
_READY_LIMIT_S = 0.5

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "random_page_cost": "1.1",  # an SSD or memory, not a turning disk
    "jit": "off",  # compiling costs more than these short queries take
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",  # one line every five minutes that nobody asked for
    "log_line_prefix": "[%p] ",  # the supervisor's lines have the time already
}
# For data that may vanish with the machine: several times as many commits a second.
_THROWAWAY = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",  # who drops a database may not end its workers
}


@dataclass(frozen=True, kw_only=True)
class PostgresServer:
    """A PostgreSQL whose folder is ready; start `argv` to have the server.

    The database `tasuki` belongs to the role `tasuki`, who may create databases and is no
    superuser: a hole in the application's SQL is no way to run programs. The superuser is
    `postgres`; its password lies beside the data for the owner of the folder.
    """

    folder: Path
    port: int
    password: str = field(repr=False)
    argv: Sequence[str] = field(repr=False)
    env: Mapping[str, str] = field(repr=False)
    name: str = "postgres"
    stop_signal: signal.Signals = signal.SIGINT  # "fast": ends sessions, keeps every commit

    @classmethod
    def prepare(cls, folder: Path, *, durable: bool = True) -> Self:
        """Find the programs, make the database on the first call, choose a port.

        Call it with the folder's lock held (`locked`) or on a folder nobody else knows.

        Args:
            folder: The data folder; the database is in `pgNN` inside, NN the major version.
            durable: False gives up what a commit promises, for tests.

        Raises:
            BinaryNotFound: There is no PostgreSQL to start.
            FolderRefused: The folder is open to others.
            ForeignDatabase: The folder holds the data of another major version.
            RootRefused: Root cannot be given up here.
            StartFailed: initdb failed; its words are in the message.
        """
        folder = private_folder(folder)
        programs = find_postgres()
        prefix = prefix_without_root(folder, programs.folder / "postgres")
        data = folder / f"pg{programs.major}"
        _refuse_foreign(folder, data, programs.major)
        password = secret(folder / "postgres.password")
        if data.exists():
            stop_leftover(data / "postmaster.pid", data, signal.SIGINT)
        else:
            _Maker(programs, prefix, folder, durable).make(data, password)
        port = kept_port(folder / "postgres.port")
        settings = _SETTINGS | {"port": str(port)} | ({} if durable else _THROWAWAY)
        options = [f"--{name}={value}" for name, value in settings.items()]
        argv = (*prefix, str(programs.folder / "postgres"), "-D", str(data), *options)
        return cls(folder=data, port=port, password=password, argv=argv, env=_environment())

    @property
    def dsn(self) -> str:
        """The address for `psql` and asyncpg, password included."""
        return f"postgresql://tasuki:{self.password}@127.0.0.1:{self.port}/tasuki"

    @property
    def url(self) -> str:
        """The address for SQLAlchemy with asyncpg, password included."""
        return self.dsn.replace("postgresql:", "postgresql+asyncpg:", 1)

    def ready(self) -> bool:
        """Tell whether connections are accepted.

        The server writes `ready` into its lock file, as `pg_ctl` reads it. A killed
        predecessor left the same word there, hence the knock at the port as well.
        """
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=_READY_LIMIT_S):
                lines = (self.folder / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[7].strip() == "ready"


def _refuse_foreign(folder: Path, data: Path, major: int) -> None:
    """Stop before a new, empty database hides the data of another version.

    Raises:
        ForeignDatabase: As said.
    """
    others = sorted(path.name for path in folder.glob("pg[0-9]*") if path != data)
    if not data.exists() and others:
        raise ForeignDatabase(
            f"{folder} holds data of another PostgreSQL ({', '.join(others)}), and version "
            f"{major} cannot read it. Dump it with its own version, or use another data folder."
        )
    version_file = data / "PG_VERSION"
    found = version_file.read_text().strip() if version_file.exists() else "nothing"
    if data.exists() and found != str(major):
        raise ForeignDatabase(
            f"{data} was not written by PostgreSQL {major}: its PG_VERSION says {found}. "
            "Dump it with that version, or use another data folder."
        )


@dataclass(frozen=True)
class _Maker:
    """Makes a new database beside its final place, so that a half-made one is never used."""

    programs: PostgresPrograms
    prefix: Sequence[str]
    folder: Path
    durable: bool

    def make(self, data: Path, password: str) -> None:
        fresh = self.folder / "new-database"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        hand_over(self.prefix, fresh)
        superuser_file = self.folder / "postgres.superuser-password"
        secret(superuser_file)
        hand_over(self.prefix, superuser_file)
        self._run(
            "initdb",
            "-D",
            str(fresh),
            "--username=postgres",
            f"--pwfile={superuser_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            *self._locale(),
            *(() if self.durable else ("--no-sync",)),
        )
        self._run(
            "postgres",
            "--single",
            "-D",
            str(fresh),
            "-c",
            "exit_on_error=on",
            "postgres",
            words=f"CREATE ROLE tasuki LOGIN CREATEDB PASSWORD '{password}'\n"
            "CREATE DATABASE tasuki OWNER tasuki\n",
        )
        fresh.rename(data)

    def _locale(self) -> tuple[str, ...]:
        """C.UTF-8 sorts by code point everywhere; from 17 on it needs no locale of the system."""
        if self.programs.major >= 17:
            return "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"
        return ("--locale=C.UTF-8",)

    def _run(self, program: str, *arguments: str, words: str = "") -> None:
        command = [*self.prefix, str(self.programs.folder / program), *arguments]
        done = subprocess.run(  # noqa: S603 - our own programs and arguments
            command,
            input=words,
            capture_output=True,
            text=True,
            env=_environment(),
            timeout=_INITDB_LIMIT_S,
            check=False,
        )
        if done.returncode != 0:
            raise StartFailed(f"{program} failed: {(done.stderr or done.stdout).strip()[-2000:]}")


def _environment() -> dict[str, str]:
    """Our environment without the `PG…` names meant for clients, messages in plain English."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return env | {"LC_ALL": "C"}
