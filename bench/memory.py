"""What an idle socket and an idle stream weigh in a web process.

Run it with ``./dev bench memory``; it takes about three minutes. Goals: 25 KiB for a WebSocket
of notifications, 16 KiB for an event stream, each of 2,000. ``--sockets 10000`` opens more.

Each kind is measured in a web process of its own, as `tasuki web` starts it, whose memory (RSS)
is read when the first hundred clients have come, again when all have, and once more when they
have been silent for half a minute. Clients are users with twenty connections each, as many as
one may have. What the kernel keeps for a connection is not in these figures.
"""

import argparse
import asyncio
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil
from bench.contest.field import Servers, environment, process, servers, wait_for
from bench.crowd.people import Person, people
from bench.crowd.steering import Crowd, allow_many_files, handshake, request

CONNECTIONS = 2_000
PER_USER = 20
WARM_UP = 100
IDLE_S = 30.0


@dataclass(frozen=True)
class Kind:
    """A kind of connections.

    Attributes:
        ask: Makes a user's request.
        is_stream: See `bench.crowd.clients`.
        hello: What a client says first; it gets one answer.
    """

    name: str
    goal_kib: float
    ask: Callable[[Person], str]
    is_stream: bool = False
    hello: str = ""


KINDS = (
    Kind(
        "WebSocket",
        25.0,
        lambda user: handshake(f"/api/v1/ws/notifications/{user.id}", f"Cookie: {user.cookie}"),
        hello='{"type":"ping"}',
    ),
    Kind(
        "event stream",
        16.0,
        lambda user: request(
            "/api/v1/events/stream", "Accept: text/event-stream", f"Cookie: {user.cookie}"
        ),
        is_stream=True,
    ),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sockets", type=int, default=CONNECTIONS, help="how many of each kind")
    parser.add_argument("--per-user", type=int, default=PER_USER, help="connections of one user")
    given = parser.parse_args()
    allow_many_files()
    print(
        f"{given.sockets} of each kind, {given.per_user} for each user; {os.cpu_count()} cores, "
        f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    )
    with tempfile.TemporaryDirectory(prefix="tasuki-bench-") as made, ExitStack() as stack:
        folder = Path(made)
        where = stack.enter_context(servers(folder))
        users = asyncio.run(people(where, -(-(given.sockets + WARM_UP) // given.per_user)))
        callers = [user for user in users for _ in range(given.per_user)]
        sizes = [
            measure(kind, where, folder, callers[: given.sockets + WARM_UP]) for kind in KINDS
        ]
    is_good = all(size <= kind.goal_kib for kind, size in zip(KINDS, sizes, strict=True))
    sys.exit(not is_good)


def measure(kind: Kind, where: Servers, folder: Path, callers: Sequence[Person]) -> float:
    """Print what one connection weighs, and return it in KiB."""
    ready, log = folder / f"{kind.is_stream}.ready", folder / f"{kind.is_stream}.log"
    argv = [sys.executable, "-m", "tasuki", "web", "--port", "0", "--ready-file", str(ready)]
    most = {
        "TASUKI_REALTIME__CONNECTIONS": str(len(callers)),
        "TASUKI_REALTIME__CONNECTIONS_PER_USER": str(len(callers)),
    }
    env = environment(where, folder, TASUKI_TASKS__MODULES="[]", **most)
    with process(argv, env, log) as web, ExitStack() as stack:
        wait_for(web, log, ready)
        port = int(ready.read_text().strip().rpartition(":")[2])
        crowd = Crowd(stack, folder / f"{kind.is_stream}-clients.log", env)

        def come(users: Sequence[Person]) -> float:
            requests = [kind.ask(user) for user in users]
            greetings = 1 if kind.hello else 0
            how = {"is_stream": kind.is_stream, "hello": kind.hello, "greetings": greetings}
            crowd.open(port, requests, **how)
            return rss_kib(web.pid)

        before = come(callers[:WARM_UP])
        began = time.monotonic()
        after = come(callers[WARM_UP:])
        took = time.monotonic() - began
        crowd.stay(IDLE_S)
        idle = rss_kib(web.pid)
    count = len(callers) - WARM_UP
    each = (max(after, idle) - before) / count
    verdict = "met" if each <= kind.goal_kib else "MISSED"
    print(
        f"{kind.name:<14} {each:6.1f} KiB each   goal {kind.goal_kib:g}: {verdict}   "
        f"process {before / 1024:.0f} MiB before, {after / 1024:.0f} with {count} more, "
        f"{idle / 1024:.0f} after {IDLE_S:g} s; opened in {took:.1f} s"
    )
    return each


def rss_kib(pid: int) -> float:
    """Return the memory of a process that is not on disk, in KiB."""
    return psutil.Process(pid).memory_info().rss / 1024


if __name__ == "__main__":
    main()
