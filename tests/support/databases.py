"""A PostgreSQL to be mistreated."""

import subprocess
from contextlib import ExitStack
from pathlib import Path
from signal import SIGQUIT
from typing import Self

from tasuki.embedded import PostgresServer, run_server


class Postgres:
    """A server of its own that keeps what was committed, however it ends.

    Args:
        folder: Where its data lies; nobody else's.
    """

    def __init__(self, folder: Path) -> None:
        self._server = PostgresServer.prepare(folder)
        self._stack = ExitStack()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def dsn(self) -> str:
        """Its address; the same after each start."""
        return self._server.dsn

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self._stack.close()

    def start(self) -> None:
        """Start it; it recovers first."""
        self._process = self._stack.enter_context(run_server(self._server))

    def kill(self) -> None:
        """Stop it at once, without a word to its clients (``pg_ctl stop -m immediate``)."""
        assert self._process is not None
        self._process.send_signal(SIGQUIT)
        self._process.wait(10)
        self._stack.close()
