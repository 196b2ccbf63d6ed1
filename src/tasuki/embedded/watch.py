"""The supervisor's end of the guard's pipe."""

import contextlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_END_LIMIT_S = 5.0


class Watch:
    """A running guard, told which processes to end should we be killed.

    Args:
        keep_open: File descriptors that stay open until the guard has ended, such as the
            data folder's lock.
    """

    def __init__(self, *, keep_open: Sequence[int] = ()) -> None:
        program = Path(__file__).with_name("guard.py")
        self._guard = subprocess.Popen(  # noqa: S603 - our own interpreter and file
            [sys.executable, "-I", "-S", str(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=keep_open,
            start_new_session=True,
            bufsize=0,
        )

    def add(self, pid: int, stop_signal: int) -> None:
        """Name a process that leads its own group, and the signal that ends it."""
        self._say(f"+ {int(stop_signal)} {pid}\n")

    def remove(self, pid: int) -> None:
        """Say that a process and its group are gone."""
        self._say(f"- {pid}\n")

    def close(self) -> None:
        """End the guard; what was not removed is stopped by it."""
        if self._guard.stdin is not None:
            self._guard.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._guard.wait(_END_LIMIT_S)

    def _say(self, line: str) -> None:
        if self._guard.stdin is not None:
            # A guard that somebody killed costs its service, not ours.
            with contextlib.suppress(BrokenPipeError):
                self._guard.stdin.write(line.encode())
