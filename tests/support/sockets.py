"""Clients of WebSockets, and a kind of sockets for tests."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin

from support.client import Client
from support.live import Live
from tasuki.core.errors import Forbidden, NotFound, ValidationFailed
from tasuki.core.registry import Registry
from tasuki.realtime.sockets import add_sockets
from tasuki.web.principal import Principal

WITHIN_S = 10


class PriceSession:
    """Tells of the prices of one thing, and says everything back."""

    types = frozenset({"price", "remark"})

    def __init__(self, user: Principal, key: str) -> None:
        self.channels = (f"prices:{key}",)
        self.user = user

    async def entered(self) -> None:
        """See `SocketSession`."""

    async def received(self, message: dict[str, Any]) -> dict[str, Any] | None:
        """See `SocketSession`."""
        if "bad" in message:
            raise ValidationFailed("bad: is not wanted here")
        return {"type": "echo", "user": self.user.username, **message}

    async def left(self) -> None:
        """See `SocketSession`."""


async def _open(user: Principal, where: Mapping[str, Any], _: Registry) -> PriceSession:
    if where["key"] == "none":
        raise NotFound("There is no such price.")
    if where["key"] == "theirs":
        raise Forbidden("That price is somebody else's.")
    return PriceSession(user, where["key"])


def add_price_sockets(live: Live) -> None:
    """Serve sockets of prices at ``/ws/prices/KEY``."""
    add_sockets(live.app.router, "/ws/prices/{key}", _open)


class Talk:
    """One side of an open socket."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def say(self, *messages: Any) -> None:
        """Send messages; text as it is, everything else as JSON."""
        for message in messages:
            is_raw = isinstance(message, str | bytes)
            await self.socket.send(message if is_raw else json.dumps(message))

    async def hear(self) -> dict[str, Any]:
        """Return the next message."""
        async with asyncio.timeout(WITHIN_S):
            message: dict[str, Any] = json.loads(await self.socket.recv())
        return message

    async def hear_until(self, kind: str) -> dict[str, Any]:
        """Return the next message of a type."""
        while (message := await self.hear())["type"] != kind:
            pass
        return message

    async def closed(self, *, within_s: float = WITHIN_S) -> int | None:
        """Read to the end; return the code that the socket was closed with."""
        try:
            async with asyncio.timeout(within_s):
                async for _ in self.socket:
                    pass
        except ConnectionClosed:
            pass
        return self.socket.close_code


@asynccontextmanager
async def talking(
    client: Client, path: str, *, origin: str | None = None, **headers: str
) -> AsyncGenerator[Talk]:
    """Open a socket as a browser or program that is signed in like this client."""
    cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    sent = {"Cookie": cookies} if cookies else {}
    if "authorization" in client.headers:
        sent["Authorization"] = client.headers["authorization"]
    url = str(client.base_url.join(path)).replace("http", "ws", 1)
    async with connect(
        url,
        additional_headers={**sent, **headers},
        origin=Origin(origin) if origin else None,
        proxy=None,
        compression=None,
    ) as socket:
        yield Talk(socket)
