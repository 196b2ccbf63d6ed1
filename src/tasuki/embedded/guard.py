"""Stops everything if the process that started it is killed with -9.

Runs as a program of its own (`python -I -S guard.py`) on the standard library alone, so
that it starts in a few milliseconds and weighs nothing. Its standard input is a pipe from
the supervisor, and the end of that pipe is the one thing a killed process cannot prevent:

    + SIGNAL PID    this process leads a group of its own; end it with SIGNAL
    - PID           it has ended

At the end of input every process still named gets its signal, and two seconds later
whatever is left of its group gets SIGKILL.
"""

import contextlib
import os
import signal
import sys
import time

GRACE_S = 2.0
_POLL_S = 0.05


def main() -> None:
    """Follow the pipe to its end, then stop what is left."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)  # it ends with its pipe and with nothing else
    groups: dict[int, int] = {}
    for line in sys.stdin:
        match line.split():
            case ["+", number, pid]:
                groups[int(pid)] = int(number)
            case ["-", pid]:
                groups.pop(int(pid), None)
            case _:
                pass  # half a line: the supervisor died while writing
    _stop(groups)


def _stop(groups: dict[int, int]) -> None:
    for pid, number in groups.items():
        with contextlib.suppress(OSError):
            os.kill(pid, number)
    deadline = time.monotonic() + GRACE_S
    while any(map(_is_there, groups)) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    for pid in groups:
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGKILL)


def _is_there(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main()
