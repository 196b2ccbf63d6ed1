"""A Valkey of one's own: one folder, loopback only, a random password."""

import os
import signal
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tasuki.embedded.binaries import find_valkey
from tasuki.embedded.datadir import kept_port, private_folder, secret, write_private
from tasuki.embedded.leftovers import stop_leftover

_READY_LIMIT_S = 0.5


@dataclass(frozen=True, kw_only=True)
class ValkeyServer:
    """A Valkey whose folder is ready; start `argv` to have the server.

    Persistent, it writes every command to its append-only file and syncs once a second:
    a crash of the machine costs a second, a crash of the process nothing. When memory is
    full it refuses writes instead of forgetting keys, since it carries messages.
    """

    folder: Path
    port: int
    password: str = field(repr=False)
    argv: Sequence[str] = field(repr=False)
    env: Mapping[str, str] = field(repr=False)
    name: str = "valkey"
    stop_signal: signal.Signals = signal.SIGTERM

    @classmethod
    def prepare(cls, folder: Path, *, persistent: bool = True) -> Self:
        """Find the program, write its configuration, choose a port.

        Call it with the folder's lock held (`locked`) or on a folder nobody else knows.

        Args:
            folder: The data folder; Valkey's own is `valkey` inside.
            persistent: False keeps everything in memory only, for tests.

        Raises:
            BinaryNotFound: There is no Valkey or Redis to start.
            FolderRefused: The folder is open to others.
        """
        program = find_valkey()
        folder = private_folder(folder)
        data = private_folder(folder / "valkey")
        stop_leftover(data / "valkey.pid", data, signal.SIGTERM)
        password = secret(folder / "valkey.password")
        port = kept_port(folder / "valkey.port")
        conf = folder / "valkey.conf"
        write_private(conf, _configuration(data, port, password, persistent=persistent))
        argv = (str(program), str(conf))
        return cls(folder=data, port=port, password=password, argv=argv, env=dict(os.environ))

    @property
    def url(self) -> str:
        """The address for redis-py and Celery, password included."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def ready(self) -> bool:
        """Tell whether it answers our password and has finished reading its data."""
        address = ("127.0.0.1", self.port)
        try:
            with socket.create_connection(address, timeout=_READY_LIMIT_S) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\nQUIT\r\n".encode())
                with connection.makefile("rb") as answers:
                    return answers.read(256).startswith(b"+OK\r\n+PONG\r\n")
        except OSError:
            return False


def _configuration(data: Path, port: int, password: str, *, persistent: bool) -> str:
    place = str(data).replace("\\", "\\\\").replace('"', '\\"')
    return f"""\
bind 127.0.0.1
port {port}
protected-mode yes
requirepass {password}
daemonize no
dir "{place}"
pidfile "{place}/valkey.pid"
appendonly {"yes" if persistent else "no"}
appendfsync everysec
save ""
maxmemory-policy noeviction
loglevel warning
logfile ""
always-show-logo no
"""
