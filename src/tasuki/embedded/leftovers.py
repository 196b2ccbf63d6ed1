"""Stops a server that outlived its supervisor and its guard.

Both were killed with -9, and the server still writes to our folder. Two servers on one
folder would ruin it: PostgreSQL refuses to, Valkey does not notice.
"""

import os
import signal
import time
from pathlib import Path

_POLL_S = 0.02


def stop_leftover(pid_file: Path, folder: Path, stop_signal: int, *, within_s: float = 10) -> None:
    """End the process named in the file's first line if it works in the folder.

    Call it only with the folder's lock held: then nobody else can be its rightful owner.
    A number that means another process by now is left alone and the stale file removed.
    Where there is no /proc, nothing is done.

    Args:
        pid_file: Where the server wrote its process number.
        folder: The server's working directory.
        stop_signal: What asks the server to end.
        within_s: SIGKILL follows when this time is up.
    """
    if not pid_file.exists() or not Path("/proc/self").exists():
        return
    first = (pid_file.read_text().splitlines() or [""])[0].strip()
    pid = int(first) if first.isdigit() else 0
    if pid and _works_in(pid, folder):
        _end(pid, folder, stop_signal, within_s)
    pid_file.unlink(missing_ok=True)


def _end(pid: int, folder: Path, stop_signal: int, within_s: float) -> None:
    for number in (stop_signal, signal.SIGKILL):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + within_s
        while _works_in(pid, folder) and time.monotonic() < deadline:
            time.sleep(_POLL_S)


def _works_in(pid: int, folder: Path) -> bool:
    """Both servers make their data folder their working directory; a zombie has none."""
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == folder.resolve()
    except OSError:
        return False
