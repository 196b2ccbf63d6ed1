"""Server-Sent Events (WHATWG HTML, 9.2): frames, and a response that pushes them.

The producer pushes; there is no generator to be left open when a client goes away. It is
cancelled the moment the client disconnects, or the process is told to stop.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tasuki.web.depends import registry_of
from tasuki.web.streams import OpenStreams

HEARTBEAT_S = 15.0
"""An idle stream says something this often, or proxies close it."""
_SEND_TIMEOUT_S = 30.0  # a client that takes nothing for so long is gone

Emit = Callable[[bytes], Awaitable[None]]
Producer = Callable[[Emit], Coroutine[Any, Any, None]]

HEARTBEAT = b": still here\n\n"
"""A comment: keeps the connection open and fires no handler in any client."""


def frame(event: str, data: Any, *, event_id: str, retry_ms: int | None = None) -> bytes:
    """Return one event as bytes.

    Args:
        event: Its type; one of our own words, never text of a user.
        data: Anything JSON can hold; JSON has no raw line breaks, so one ``data:`` line does.
        event_id: Comes back as ``Last-Event-ID`` when the client reconnects.
        retry_ms: How long the client should wait before that.
    """
    retry = f"retry: {retry_ms}\n" if retry_ms is not None else ""
    body = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"{retry}id: {event_id}\nevent: {event}\ndata: {body}\n\n".encode()


class EventStreamResponse(Response):
    """A response that lives as long as its producer has something to say."""

    media_type = "text/event-stream"

    def __init__(self, produce: Producer, status_code: int = 200) -> None:
        """Take the coroutine function that is given `emit` and returns at the end."""
        super().__init__(status_code=status_code)
        self._produce = produce
        del self.headers["content-length"]
        self.headers["Cache-Control"] = "no-store"
        self.headers["X-Accel-Buffering"] = "no"  # nginx would hold the events back

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the head at once, then whatever the producer pushes."""
        with registry_of(HTTPConnection(scope)).get(OpenStreams).one_more():
            await self._stream(receive, send)

    async def _stream(self, receive: Receive, send: Send) -> None:
        head = {"status": self.status_code, "headers": self.raw_headers}
        await send({"type": "http.response.start", **head})

        async def emit(data: bytes) -> None:
            async with asyncio.timeout(_SEND_TIMEOUT_S):
                await send({"type": "http.response.body", "body": data, "more_body": True})

        producing = asyncio.create_task(self._produce(emit), name="sse-producer")
        leaving = asyncio.create_task(_disconnected(receive), name="sse-disconnect")
        try:
            await asyncio.wait({producing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (producing, leaving):
                task.cancel()
            ended = await asyncio.gather(producing, leaving, return_exceptions=True)
        produced = ended[0]
        if isinstance(produced, Exception):
            raise produced
        if not leaving.cancelled():
            return
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
