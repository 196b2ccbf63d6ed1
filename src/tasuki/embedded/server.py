"""What an embedded server is to those who start it, and a way to run one by itself."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from tasuki.embedded.errors import StartFailed
from tasuki.embedded.watch import Watch

_POLL_S = 0.01
_STOP_LIMIT_S = 10.0
_TAIL_BYTES = 2000


class Server(Protocol):
    """A prepared server: everything is on disk, the process is not started."""

    @property
    def name(self) -> str:
        """A short word for logs and file names."""

    @property
    def argv(self) -> Sequence[str]:
        """The command that runs the server in the foreground."""

    @property
    def env(self) -> Mapping[str, str]:
        """The whole environment of the process."""

    @property
    def folder(self) -> Path:
        """Where its data lies."""

    @property
    def stop_signal(self) -> signal.Signals:
        """What asks it to end soon and cleanly."""

    def ready(self) -> bool:
        """Tell whether it answers; takes half a second at most, fit for a thread."""


@contextlib.contextmanager
def run_server(
    server: Server, *, start_timeout_s: float = 60
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server as a child process for the length of a `with` block.

    It writes to `NAME.log` beside its data. It is stopped at the end of the block, and by
    a guard if this process is killed; SIGKILL follows where asking does not help.

    Raises:
        StartFailed: It ended at once, or did not answer in time; its last lines are in
            the message.
    """
    log = server.folder.with_name(f"{server.name}.log")
    watch = Watch()
    try:
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 - a command made by `prepare`
                server.argv,
                env=server.env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        watch.add(process.pid, server.stop_signal)
        try:
            _await_ready(server, process, log, start_timeout_s)
            yield process
        finally:
            _stop(process, server.stop_signal)
            watch.remove(process.pid)
    finally:
        watch.close()


def _await_ready(
    server: Server, process: subprocess.Popen[bytes], log: Path, within_s: float
) -> None:
    deadline = time.monotonic() + within_s
    while not server.ready():
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = process.wait(_POLL_S)
            raise StartFailed(f"{server.name} ended with {code}: {_tail(log)}")
        if time.monotonic() > deadline:
            raise StartFailed(f"{server.name} is not ready after {within_s} s: {_tail(log)}")


def _stop(process: subprocess.Popen[bytes], stop_signal: signal.Signals) -> None:
    if process.poll() is None:
        process.send_signal(stop_signal)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_LIMIT_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(_STOP_LIMIT_S)


def _tail(log: Path) -> str:
    return log.read_bytes()[-_TAIL_BYTES:].decode(errors="replace").strip()
