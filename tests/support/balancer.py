"""A load balancer before web processes, as careful as those that people use and no more.

Where a connection is refused it takes another backend. What it has begun to hand on it never
repeats, since an order might then be placed twice. nginx does the same.
"""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager


class Balancer:
    """Hands each connection to the next backend that takes it.

    Args:
        ports: Of the backends, on this machine.
    """

    def __init__(self, ports: Sequence[int]) -> None:
        self._ports = ports
        self._turns = itertools.cycle(range(len(ports)))
        self._serving: set[asyncio.Task[None]] = set()
        self.url = ""

    @asynccontextmanager
    async def running(self) -> AsyncGenerator["Balancer"]:
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

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        with contextlib.suppress(OSError, asyncio.CancelledError), contextlib.closing(writer):
            backend_reader, backend_writer = await self._connect()
            with contextlib.closing(backend_writer):
                async with asyncio.TaskGroup() as pipes:
                    inward = pipes.create_task(_pipe(reader, backend_writer))
                    outward = pipes.create_task(_pipe(backend_reader, writer))
                    both = {inward, outward}
                    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
                    for pipe in both:
                        pipe.cancel()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        start = next(self._turns)
        for port in [*self._ports[start:], *self._ports[:start]]:
            with contextlib.suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", port)
        raise ConnectionRefusedError("no backend takes connections")


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
