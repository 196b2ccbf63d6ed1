"""Brokers that fail: one that is killed, one that refuses, one that stays silent."""

import asyncio
import contextlib
import subprocess
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Literal, Self
from urllib.parse import urlsplit

from tasuki.embedded import ValkeyServer, run_server

Mode = Literal["forward", "silent", "refused"]


class Valkey:
    """A Valkey without persistence, to be killed and started again, empty."""

    def __init__(self, folder: Path) -> None:
        self._server = ValkeyServer.prepare(folder, persistent=False)
        self._stack = ExitStack()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address; the same after each start."""
        return self._server.url

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
        """Start it, empty."""
        self._process = self._stack.enter_context(run_server(self._server))

    def kill(self) -> None:
        """Kill it; what it held is gone."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)
        self._stack.close()


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
