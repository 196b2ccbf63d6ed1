"""Orders over HTTP while the broker accepts connections and never says a word."""

import asyncio
import socket
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from bench.contest.field import Servers, environment, process, wait_for

PER_S = 50.0
SECONDS = 10.0
_WARM_UP_S = 1.0  # connections open, statements are prepared
_PASSWORD = "correct horse battery"  # noqa: S105  # of an account that lives for seconds


@dataclass
class SilentResult:
    """Seconds from the planned moment to the answer, and how many were not 202."""

    taken_s: list[float] = field(default_factory=list)
    refused: int = 0


def measure_silent(where: Servers, folder: Path) -> SilentResult:
    """Start a web process with such a broker and order at a fixed rate."""
    ready, log = folder / "web.ready", folder / "web.log"
    argv = [sys.executable, "-m", "tasuki", "web", "--port", "0", "--ready-file", str(ready)]
    with silent_listener() as port:
        env = environment(
            where,
            folder,
            TASUKI_BROKER_URL=f"redis://127.0.0.1:{port}/0",
            TASUKI_ACCOUNTS__ADMIN_PASSWORD=_PASSWORD,
        )
        with process(argv, env, log) as web:
            wait_for(web, log, ready)
            return asyncio.run(_order(ready.read_text()))


@contextmanager
def silent_listener() -> Generator[int]:
    """Take every connection and keep it open, silently; yields the port."""
    kept: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:

        def take() -> None:
            while True:
                try:
                    kept.append(listener.accept()[0])
                except OSError:
                    return

        threading.Thread(target=take, daemon=True).start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for connection in kept:
                connection.close()


async def _order(url: str) -> SilentResult:
    result = SilentResult()
    limits = httpx.Limits(max_connections=100, max_keepalive_connections=100)
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=30) as client:
        login = {"username": "admin", "password": _PASSWORD}
        (await client.post("/api/v1/auth/login", json=login)).raise_for_status()

        await _at_fixed_rate(client, _WARM_UP_S, SilentResult())
        await _at_fixed_rate(client, SECONDS, result)
    return result


async def _at_fixed_rate(client: httpx.AsyncClient, seconds: float, result: SilentResult) -> None:
    async def order(planned: float) -> None:
        answer = await client.post("/api/v1/tasks", json={"name": "bench.noop", "args": {}})
        result.taken_s.append(time.perf_counter() - planned)
        result.refused += answer.status_code != httpx.codes.ACCEPTED

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(int(PER_S * seconds)):
            planned = began + number / PER_S
            await asyncio.sleep(max(0.0, planned - time.perf_counter()))
            group.create_task(order(planned))
