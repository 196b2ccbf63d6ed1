"""Brokers to be mistreated: killed, emptied, cut off, out of memory; and a proxy that goes silent.

Valkey and RabbitMQ have the same face here, so that what must hold on both is written once.
"""

import asyncio
import base64
import contextlib
import json
import subprocess
from collections.abc import Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from signal import Signals
from types import TracebackType
from typing import Literal, Protocol, Self
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit

import pytest
import redis

from support.rabbitmq import RabbitMq
from tasuki.embedded import ValkeyServer, run_server

BROKERS = ("valkey", "rabbitmq")
"""What a test that holds on every broker is parametrised with."""

Mode = Literal["forward", "silent", "refused"]


class Broker(Protocol):
    """A broker of a test's own."""

    @property
    def url(self) -> str:
        """Its address; the same after each start."""

    @property
    def redis_url(self) -> str | None:
        """Its address for notices as well, if it can carry them."""

    def kill(self) -> None:
        """Kill it."""

    def start(self) -> None:
        """Start it again."""

    def signal(self, number: Signals) -> None:
        """Send it a signal, to stop and to continue it."""

    def forget(self) -> None:
        """Take all messages and queues away, while it runs."""

    def cut(self) -> None:
        """Close the connections of all its clients."""

    def spoil(self, queue: str, *bodies: bytes) -> None:
        """Put into a queue what nobody can read; without effect where there is no such queue."""

    def out_of_memory(self) -> AbstractContextManager[None]:
        """Let it have no memory for further messages."""


class Valkey:
    """A Valkey; started again it is empty.

    Args:
        folder: Where its data lies; nobody else's, and closed to others.
        persistent: Started again it has all it had, but for its scripts and connections.
    """

    def __init__(self, folder: Path, *, persistent: bool = False) -> None:
        self._server = ValkeyServer.prepare(folder, persistent=persistent)
        self._stack = ExitStack()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """See `Broker.url`."""
        return self._server.url

    @property
    def redis_url(self) -> str | None:
        """See `Broker.redis_url`."""
        return self.url

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it."""
        self._stack.close()

    def start(self) -> None:
        """See `Broker.start`."""
        self._process = self._stack.enter_context(run_server(self._server))

    def kill(self) -> None:
        """See `Broker.kill`."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)
        self._stack.close()

    def signal(self, number: Signals) -> None:
        """See `Broker.signal`."""
        assert self._process is not None
        self._process.send_signal(number)

    def forget(self) -> None:
        """See `Broker.forget`."""
        with self._client() as client:
            client.flushall()

    def forget_scripts(self) -> None:
        """Forget the scripts it was given, as a restart does, and nothing else."""
        with self._client() as client:
            client.script_flush()

    def everything(self) -> dict[bytes, tuple[bytes, int]]:
        """Return what it has: by its key what `go_back` takes, and the ms that it lives on."""
        with self._client() as client:
            kept = {key: (client.dump(key), client.pttl(key)) for key in client.scan_iter()}
        return {key: (value, ttl) for key, (value, ttl) in kept.items() if value is not None}

    def go_back(self, before: dict[bytes, tuple[bytes, int]]) -> None:
        """Be as it was, as a machine is that lost its power before all was on its disk."""
        with self._client() as client, client.pipeline(transaction=True) as steps:
            steps.flushall()
            steps.script_flush()
            for key, (value, ttl) in before.items():
                steps.restore(key, max(ttl, 0), value)
            steps.execute()
        self.cut()

    def cut(self) -> None:
        """See `Broker.cut`."""
        with self._client() as client:
            for kind in ("normal", "pubsub"):
                client.client_kill_filter(_type=kind, skipme=True)

    def spoil(self, queue: str, *bodies: bytes) -> None:
        """See `Broker.spoil`."""
        with self._client() as client:
            client.lpush(f"tasuki:{queue}", *bodies)

    @contextmanager
    def out_of_memory(self) -> Generator[None]:
        """See `Broker.out_of_memory`."""
        with self._client() as client:
            client.config_set("maxmemory", "1")
            try:
                yield
            finally:
                client.config_set("maxmemory", "0")

    def _client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url)


class Rabbit:
    """A virtual host of a RabbitMQ node: started again, it has all that it confirmed."""

    def __init__(self, node: RabbitMq, url: str) -> None:
        self._node = node
        self._url = url
        self._vhost = urlsplit(url).path.removeprefix("/")

    @property
    def url(self) -> str:
        """See `Broker.url`."""
        return self._url

    @property
    def redis_url(self) -> str | None:
        """See `Broker.redis_url`."""
        return None

    def kill(self) -> None:
        """See `Broker.kill`."""
        self._node.kill()

    def start(self) -> None:
        """See `Broker.start`."""
        self._node.start()

    def signal(self, number: Signals) -> None:
        """See `Broker.signal`."""
        self._node.signal(number)

    def forget(self) -> None:
        """See `Broker.forget`."""
        for name in self.queues():
            self._gently("DELETE", f"queues/{self._vhost}/{quote(name, safe='')}")

    def cut(self) -> None:
        """See `Broker.cut`."""
        self._node.command("close_all_connections", "--vhost", self._vhost, "cut by a test")

    def spoil(self, queue: str, *bodies: bytes) -> None:
        """See `Broker.spoil`."""
        for body in bodies:
            message = {**_as_amqp(body), "routing_key": queue}
            self._node.call("POST", f"exchanges/{self._vhost}/amq.default/publish", message)

    def out_of_memory(self) -> AbstractContextManager[None]:
        """See `Broker.out_of_memory`."""
        return self._node.memory_alarm()

    def queues(self) -> dict[str, dict[str, object]]:
        """Return the queues of the virtual host by name, as the management API describes them."""
        found = self._node.call("GET", f"queues/{self._vhost}")
        return {queue["name"]: queue for queue in found}

    def _gently(self, method: str, path: str) -> None:
        # It may have gone since we asked for its name.
        with contextlib.suppress(HTTPError):
            self._node.call(method, path)


def _as_amqp(body: bytes) -> dict[str, object]:
    """Return a message for the management API.

    What is built like one of kombu's messages on Redis becomes the message it would be here.
    """
    try:
        envelope = json.loads(body)
        properties = {
            "content_type": envelope["content-type"],
            "content_encoding": envelope["content-encoding"],
            "headers": envelope["headers"],
            "delivery_mode": 2,
        }
        return {
            "properties": properties,
            "payload": base64.b64encode(base64.b64decode(envelope["body"])).decode(),
            "payload_encoding": "base64",
        }
    except (ValueError, LookupError, TypeError, RecursionError):
        return {
            "properties": {},
            "payload": base64.b64encode(body).decode(),
            "payload_encoding": "base64",
        }


@contextmanager
def own_broker(request: pytest.FixtureRequest, kind: str, folder: Path) -> Generator[Broker]:
    """Start a broker of a kind for a test; the node of RabbitMQ is kept for the next one.

    Args:
        kind: One of `BROKERS`.
        folder: An empty one.
    """
    if kind == "valkey":
        (folder / kind).mkdir(mode=0o700)
        with Valkey(folder / kind) as valkey:
            yield valkey
    else:
        node: RabbitMq = request.getfixturevalue("rabbitmq")
        with node.vhost() as url:
            yield Rabbit(node, url)


class Proxy:
    """Stands before a broker: hands everything on, or takes and stays silent, or refuses."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        self._target = (parts.hostname, parts.port)
        self._url = url
        self._port = 0
        self._mode: Mode = "refused"
        self._server: asyncio.Server | None = None
        self._piping: set[asyncio.Task[None]] = set()
        self.accepted = 0

    @property
    def url(self) -> str:
        """The broker's URL by way of this proxy."""
        return self._url.replace(f":{self._target[1]}/", f":{self._port}/")

    async def become(self, mode: Mode) -> None:
        """Change; connections of the old mode are cut, unless the new one is silence."""
        before, self._mode = self._mode, mode
        if before == "silent" or mode == "refused":
            await self._cut()
        if mode == "refused" and self._server is not None:
            self._server.close()
            self._server = None
        if mode != "refused" and self._server is None:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
            self._port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop for good."""
        await self.become("refused")

    async def _cut(self) -> None:
        for piping in self._piping:
            piping.cancel()
        await asyncio.gather(*self._piping, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        task = asyncio.current_task()
        assert task is not None
        self._piping.add(task)
        ends = [writer]
        pipes: list[asyncio.Task[None]] = []
        try:
            with contextlib.suppress(OSError):
                inner_reader, inner_writer = await asyncio.open_connection(*self._target)
                ends.append(inner_writer)
                pipes = [
                    asyncio.create_task(self._pipe(reader, inner_writer)),
                    asyncio.create_task(self._pipe(inner_reader, writer)),
                ]
                await asyncio.wait(pipes, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            pass  # cut on purpose; asyncio's server complains of handlers that say so
        finally:
            for pipe in pipes:
                pipe.cancel()
            self._piping.discard(task)
            for end in ends:
                end.close()

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                if self._mode == "forward":
                    writer.write(data)
                    await writer.drain()
