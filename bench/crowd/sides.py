"""The systems that bring messages to a crowd, each with its crowd, as child processes."""

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from bench.contest.field import Servers, environment, process, wait_for
from bench.crowd import nchan
from bench.crowd.message import FIRST, SIZE
from bench.crowd.people import people
from bench.crowd.steering import Crowd, Publish, handshake, over_http, steered

PER_USER = 20
"""Sockets of one user; as many as Tasuki lets one have unless told otherwise."""

_TEXT_HEAD = bytes([0x81, 126]) + SIZE.to_bytes(2)


@dataclass
class Measured:
    """What one round took.

    Attributes:
        cpu_s: Of the process that serves the sockets.
        kernel_s: The part of it that the kernel took.
        reads: How often clients were woken for something.
    """

    deliveries: int
    wall_s: float
    cpu_s: float
    kernel_s: float
    reads: int

    @property
    def per_s(self) -> float:
        """Deliveries a second."""
        return self.deliveries / self.wall_s

    @property
    def cpu_us(self) -> float:
        """Microseconds of CPU for each delivery."""
        return self.cpu_s / self.deliveries * 1e6

    @property
    def kernel_us(self) -> float:
        """The kernel's part of that."""
        return self.kernel_s / self.deliveries * 1e6


class Side:
    """One system with its sockets, ready to be measured."""

    def __init__(self, crowd: Crowd, server_pid: int, publish: Publish, sockets: int) -> None:
        self._crowd = crowd
        self._server = psutil.Process(server_pid)
        self._sockets = sockets
        self._next = FIRST
        self.publish = publish

    def round(self, count: int, together: int, publish: Publish | None = None) -> Measured:
        """Publish so many messages, and wait until every socket has heard them."""
        first, self._next = self._next, self._next + count
        before = self._server.cpu_times()
        counted = self._crowd.count(count, first=first, together=together)
        began = (publish or self.publish)(count, together, first)
        heard = counted()
        after = self._server.cpu_times()
        kernel_s = after.system - before.system
        return Measured(
            deliveries=count * self._sockets,
            wall_s=heard["last_at"] - began,
            cpu_s=after.user - before.user + kernel_s,
            kernel_s=kernel_s,
            reads=heard["reads"],
        )


class Field:
    """Starts the systems and their crowds; all of them end with the stack."""

    def __init__(self, stack: ExitStack, where: Servers, folder: Path, *, sockets: int) -> None:
        self._stack = stack
        self._where = where
        self._folder = folder
        self._sockets = sockets

    def tasuki(self) -> tuple[Side, Publish]:
        """Return Tasuki's web process, and how another process publishes to its clients."""
        server, port = self._python("tasuki")
        users = asyncio.run(people(self._where, -(-self._sockets // PER_USER)))
        requests = [
            handshake("/ws/crowd", f"Cookie: {user.cookie}")
            for user in users
            for _ in range(PER_USER)
        ][: self._sockets]
        crowd = self._crowd("tasuki", port, requests, hello='{"n":1}', greetings=1)
        return self._side(crowd, server, over_http(self._stack, port)), self._other_process()

    def guide(self) -> Side:
        """Its clients offer to compress, as browsers do, and uvicorn agrees."""
        server, port = self._python("guide")
        request = handshake(
            "/ws/chat/all", "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"
        )
        requests = [request] * self._sockets
        crowd = self._crowd("guide", port, requests, head=b"", hello="hello", greetings=1)
        return self._side(crowd, server, over_http(self._stack, port))

    def socketio(self) -> Side:
        """Its clients do not offer to compress, which is faster."""
        server, port = self._python("socketio")
        requests = [handshake("/socket.io/?EIO=4&transport=websocket")] * self._sockets
        crowd = self._crowd("socketio", port, requests, hello="40", greetings=2)
        return self._side(crowd, server, over_http(self._stack, port))

    def nchan(self) -> Side:
        """One worker process of nginx."""
        server = self._stack.enter_context(nchan.running(self._folder / "nchan"))
        requests = [handshake(nchan.LISTEN)] * self._sockets
        crowd = self._crowd("nchan", server.port, requests)
        server.wait_for(self._sockets)
        return Side(crowd, server.worker_pid, server.publish, self._sockets)

    def _side(self, crowd: Crowd, server: subprocess.Popen[str], publish: Publish) -> Side:
        return Side(crowd, server.pid, publish, self._sockets)

    def _python(self, name: str) -> tuple[subprocess.Popen[str], int]:
        ready, log = self._folder / f"{name}.port", self._folder / f"{name}.log"
        argv = [sys.executable, "-m", f"bench.crowd.{name}_side", str(ready)]
        child = self._stack.enter_context(process(argv, self._environment(), log))
        wait_for(child, log, ready)
        return child, int(ready.read_text())

    def _environment(self) -> dict[str, str]:
        return environment(
            self._where,
            self._folder,
            TASUKI_TASKS__MODULES='["bench.crowd.channel"]',
            TASUKI_WEB__PORT="0",
        )

    def _other_process(self) -> Publish:
        log = self._folder / "publisher.log"
        child = steered(self._stack, log, "tasuki_publisher", self._environment())
        child.read()

        def publish(count: int, together: int, first: int) -> float:
            return float(child.ask(count=count, together=together, first=first)["began"])

        return publish

    def _crowd(
        self, name: str, port: int, requests: Sequence[str], head: bytes = _TEXT_HEAD, **how: Any
    ) -> Crowd:
        log = self._folder / f"{name}-clients.log"
        crowd = Crowd(self._stack, log, self._environment())
        crowd.open(port, requests, head=head.hex(), **how)
        return crowd
