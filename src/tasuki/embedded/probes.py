"""Ways to find out that a child process is ready for work."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

Probe = Callable[[], bool | Awaitable[bool]]
"""Tells whether a service is ready. A plain function runs in a thread; either kind is asked
again and again, is given five seconds, and counts as "not yet" when it raises `OSError`."""

_HTTP_LIMIT_S = 1.0


@dataclass(frozen=True)
class ReadyFile:
    """True once the file exists; the supervisor removes it before each start."""

    path: Path

    def __call__(self) -> bool:
        """Tell whether the child has made the file."""
        return self.path.exists()

    def reset(self) -> None:
        """Forget what an earlier process said."""
        self.path.unlink(missing_ok=True)


def ready_file(path: Path) -> ReadyFile:
    """Ready once the child has made the file (its folder must exist)."""
    return ReadyFile(path)


def http_ok(url: str) -> Callable[[], bool]:
    """Ready once the address answers 2xx within a second; plain HTTP only."""
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def answers() -> bool:
        connection = HTTPConnection(
            parts.hostname or "127.0.0.1", parts.port or 80, timeout=_HTTP_LIMIT_S
        )
        try:
            connection.request("GET", target)
            return 200 <= connection.getresponse().status < 300
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    return answers
