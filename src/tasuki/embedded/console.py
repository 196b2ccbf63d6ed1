"""The lines that `tasuki up` shows: one stream out of what many processes say."""

import asyncio
import contextlib
import os
import queue
import re
import threading
import time

LONGEST_LINE = 2000
"""Characters of a line that are shown; the rest is cut and marked with an ellipsis."""

_COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)
_WAITING_LINES = 5000
_CLOSE_LIMIT_S = 2.0
_READ_BYTES = 65_536
# A child's line may carry what a stranger typed: nothing in it may steer the terminal.
_CONTROLS = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0a-\x1f\x7f-\x9f]")


class Console:
    """Writes `HH:MM:SS name | line` to a stream without ever holding up the caller.

    A thread does the writing. When the reader is slower than the children (a stopped
    terminal, a full pipe) and 5000 lines wait, further lines are dropped and counted.

    Args:
        names: The names that will write, for the width of their column and their colours.
        fd: Standard error by default, so that standard output stays for answers.
    """

    def __init__(self, names: list[str], fd: int = 2) -> None:
        # The descriptor, not `sys.stderr`: a thread that hangs in a buffered write would
        # abort the interpreter at its end.
        self._fd = fd
        self._width = max(map(len, names), default=0)
        coloured = os.isatty(fd) and "NO_COLOR" not in os.environ
        self._colours = dict(zip(names, _COLOURS * len(names), strict=False)) if coloured else {}
        self._lines: queue.Queue[str | None] = queue.Queue(_WAITING_LINES)
        self._dropped = 0
        self._thread = threading.Thread(target=self._print, name="console", daemon=True)
        self._thread.start()

    def write(self, name: str, line: str) -> None:
        """Show one line of one process; returns at once."""
        if self._dropped and not self._lines.full():
            dropped, self._dropped = self._dropped, 0
            self._put(name, f"({dropped} lines were dropped: nobody read them in time)")
        self._put(name, line)

    def close(self) -> None:
        """Show what still waits, for two seconds at most."""
        with contextlib.suppress(queue.Full):
            self._lines.put(None, timeout=_CLOSE_LIMIT_S)
        self._thread.join(_CLOSE_LIMIT_S)

    def _put(self, name: str, line: str) -> None:
        text = _CONTROLS.sub("", line)
        text = text if len(text) <= LONGEST_LINE else text[:LONGEST_LINE] + "…"
        head = f"{time.strftime('%H:%M:%S')} {name:<{self._width}} |"
        if name in self._colours:
            head = f"\x1b[{self._colours[name]}m{head}\x1b[0m"
        try:
            self._lines.put_nowait(f"{head} {text}\n")
        except queue.Full:
            self._dropped += 1

    def _print(self) -> None:
        while (line := self._lines.get()) is not None:
            # Nobody reads any more: the services go on regardless.
            with contextlib.suppress(OSError):
                self._write_all(line.encode(errors="replace"))

    def _write_all(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._fd, data) :]


async def pump(stream: asyncio.StreamReader, name: str, console: Console) -> None:
    """Show a process's output line by line until it ends, in bounded memory."""
    rest = b""
    while chunk := await stream.read(_READ_BYTES):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            console.write(name, line.decode(errors="replace"))
        rest = rest[: 4 * LONGEST_LINE + 4]  # a character has up to four bytes
    if rest:
        console.write(name, rest.decode(errors="replace"))
