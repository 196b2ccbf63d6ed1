"""A network between a browser and a server that breaks in the middle of a large answer."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

_PIECE_BYTES = 65_536


class Cutter:
    """Hands connections on; one that has brought much is held, and cut when the test says so.

    Args:
        url: Of the server.
        after: Bytes of answers after which a connection is held; only the first one is.
    """

    def __init__(self, url: str, *, after: int) -> None:
        self._port = int(url.rpartition(":")[2])
        self._after = after
        self._serving: set[asyncio.Task[None]] = set()
        self._cut = asyncio.Event()
        self.is_holding = asyncio.Event()
        self.url = ""

    @asynccontextmanager
    async def running(self) -> AsyncGenerator["Cutter"]:
        """Serve until the block ends."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            for task in self._serving:
                task.cancel()
            await asyncio.gather(*self._serving, return_exceptions=True)

    def cut(self) -> None:
        """Break the connection that is held."""
        self._cut.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        with contextlib.suppress(OSError, asyncio.CancelledError), contextlib.closing(writer):
            answers, orders = await asyncio.open_connection("127.0.0.1", self._port)
            with contextlib.closing(orders):
                pipes = (_pipe(reader, orders), self._bring(answers, writer))
                both = [asyncio.ensure_future(pipe) for pipe in pipes]
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
                for pipe in both:
                    pipe.cancel()
                await asyncio.gather(*both, return_exceptions=True)

    async def _bring(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        brought = 0
        while data := await reader.read(_PIECE_BYTES):
            writer.write(data)
            await writer.drain()
            brought += len(data)
            if brought >= self._after and not self.is_holding.is_set():
                self.is_holding.set()
                await self._cut.wait()
                writer.transport.abort()
                return


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_PIECE_BYTES):
        writer.write(data)
        await writer.drain()
