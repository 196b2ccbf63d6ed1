"""What both measurements of sockets need: crowds, their requests, and orders to servers."""

import resource
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
from bench.contest.field import Steered, process

Publish = Callable[[int, int, int], float]
"""Takes how many, how many at once, and the first number; returns when it began."""

_WITHIN_S = 120.0


def allow_many_files() -> None:
    """Let this process and its children have as many open sockets as the system lets them."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def request(path: str, *headers: str) -> str:
    """Return a plain request."""
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: 127.0.0.1", *headers, "", ""])


def handshake(path: str, *headers: str) -> str:
    """Return a client's half of the opening handshake (RFC 6455, 4.1)."""
    return request(
        path,
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        *headers,
    )


def steered(stack: ExitStack, log: Path, module: str, env: Mapping[str, str]) -> Steered:
    """Start a child of `bench.crowd` that is steered by lines of JSON."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    argv = [sys.executable, "-m", f"bench.crowd.{module}"]
    return Steered(stack.enter_context(process(argv, env, log, **pipes)), log)


class Crowd:
    """A process with many connections; see `bench.crowd.clients`."""

    def __init__(self, stack: ExitStack, log: Path, env: Mapping[str, str]) -> None:
        self._child = steered(stack, log, "clients", env)

    def open(self, port: int, requests: Sequence[str], **how: Any) -> None:
        """Open a connection for each request; return when all are."""
        self._child.ask(do="open", port=port, requests=list(requests), **how)

    def count(self, messages: int, *, first: int, together: int) -> Callable[[], dict[str, Any]]:
        """Begin to count; call the result to wait until every socket has heard all of them."""
        self._child.ask(do="count", messages=messages, first=first, together=together)
        return self._child.read

    def stay(self, seconds: float) -> None:
        """Let time pass; fails if the server closes a connection meanwhile."""
        self._child.ask(do="stay", seconds=seconds)


def over_http(stack: ExitStack, port: int) -> Publish:
    """Return how a server is told to publish that has a route for it."""
    url = f"http://127.0.0.1:{port}/publish"
    client = stack.enter_context(httpx.Client(timeout=_WITHIN_S))

    def publish(count: int, together: int, first: int) -> float:
        how = {"count": count, "together": together, "first": first}
        return float(client.post(url, params=how).raise_for_status().json())

    return publish
