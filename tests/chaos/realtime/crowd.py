"""Many cheap clients, and bad ones: some that stop reading, some that vanish without a word."""

import asyncio
import base64
import ctypes
import os
import re
import socket
import struct
import time
from collections.abc import Awaitable, Sequence
from typing import Literal
from urllib.parse import urlsplit

import httpx

from support.waiting import until

Kind = Literal["stream", "socket"]

_SO_ATTACH_FILTER = 26  # Linux; Python has no name for it
_NOTHING = (0x06, 0, 0, 0)  # classic BPF: keep nothing of a segment
_AT_ONCE = 40
_WORD = re.compile(rb'"id":"([0-9]+) ([0-9.]+) ')
_CLOSE = 0x88  # RFC 6455, 5.2: the last frame of a closing handshake
_PING, _PONG = b"\x89\x00", b"\x8a\x80\x00\x00\x00\x00"
_HELLO = b"\x81\x82\x00\x00\x00\x00{}"
_FIRST = {"stream": b"retry: ", "socket": b'"ready"'}  # from then on all is heard
_LAST_CHUNK = b"0\r\n\r\n"  # RFC 9112, 7.1
_SMALL = 4_096


class Guest(asyncio.Protocol):
    """One client on a bare connection; it asks for a stream or a socket, and takes what comes.

    Attributes:
        head: The head of the answer.
        end: The last bytes that came.
        told_at: When it was told to go, by `time.monotonic`.
        gone_at: When the connection was over.
        delays_s: How long each word took that says when it was published.
        numbers: Of these words, in the order they came.
    """

    def __init__(self, kind: Kind, request: bytes) -> None:
        self.kind = kind
        self.head = b""
        self.end = b""
        self.told_at: float | None = None
        self.gone_at: float | None = None
        self.delays_s: list[float] = []
        self.numbers: list[int] = []
        self.is_in = asyncio.get_running_loop().create_future()
        self._request = request
        self._rest = b""
        self._has_head = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Take what comes; a ping and a closing frame are answered, as any client does."""
        if not self._has_head:
            self.head += data
            self.head, found, data = self.head.partition(b"\r\n\r\n")
            self._has_head = bool(found)
            if found and self.kind == "socket":
                self._transport.write(_HELLO)
        self.end = (self.end + data)[-400:]
        self._take_words(data)
        if self._has_head and not self.is_in.done() and _FIRST[self.kind] in data:
            self.is_in.set_result(None)
        if self.kind == "stream" and self.end.endswith(_LAST_CHUNK):
            self.told_at = time.monotonic()
        if self.kind == "socket" and _PING in data:
            self._transport.write(_PONG)
        if self.kind == "socket" and self.close_code is not None:
            self.told_at = time.monotonic()
            self._transport.write(b"\x88\x82\x00\x00\x00\x00" + struct.pack("!H", self.close_code))

    def connection_lost(self, exc: Exception | None) -> None:
        """Note when."""
        del exc
        self.gone_at = time.monotonic()
        if not self.is_in.done():
            self.is_in.set_result(None)

    @property
    def close_code(self) -> int | None:
        """What a socket was closed with, if a closing frame is the last that came."""
        at = self.end.rfind(bytes([_CLOSE]))
        if at < 0 or len(self.end) < at + 4 or len(self.end) != at + 2 + self.end[at + 1]:
            return None
        return int.from_bytes(self.end[at + 2 : at + 4], "big")

    @property
    def has_last_frame(self) -> bool:
        """Whether the end of a stream is a frame with an id, and the end of the answer."""
        frames = self.end.removesuffix(_LAST_CHUNK).strip().split(b"\r\n")
        return self.end.endswith(_LAST_CHUNK) and frames[-1].startswith(b"id: v1;")

    def stall(self) -> None:
        """Read nothing any more."""
        self._transport.pause_reading()

    def vanish(self) -> None:
        """Lose all that is sent to it, as behind a cable that was pulled."""
        code = ctypes.create_string_buffer(struct.pack("HBBI", *_NOTHING))
        program = struct.pack("HP", 1, ctypes.addressof(code))
        opened: socket.socket = self._transport.get_extra_info("socket")
        opened.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)

    def leave(self) -> None:
        """Cut the connection."""
        self._transport.abort()

    def _take_words(self, data: bytes) -> None:
        now, self._rest = time.monotonic(), self._rest + data
        last = 0
        for found in _WORD.finditer(self._rest):
            self.numbers.append(int(found[1]))
            self.delays_s.append(now - float(found[2]))
            last = found.end()
        self._rest = self._rest[last:][-200:]


class Crowd:
    """Guests of one web process.

    Args:
        client: Somebody who is signed in there.
        channel: What all of them follow.
    """

    def __init__(self, client: httpx.AsyncClient, channel: str) -> None:
        parts = urlsplit(str(client.base_url))
        assert parts.hostname is not None
        assert parts.port is not None
        self._address = (parts.hostname, parts.port)
        self._cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        self._channel = channel
        self._guests: list[Guest] = []

    async def come(self, kind: Kind, count: int, *, is_small: bool = False) -> list[Guest]:
        """Open connections, and wait until all are let in.

        Args:
            is_small: The kernel keeps as little for them as it can.
        """
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one() -> Guest:
            async with gate:
                guest = await self._connect(kind, is_small=is_small)
                await guest.is_in
            return guest

        guests = await asyncio.gather(*(one() for _ in range(count)))
        status = b" 101 " if kind == "socket" else b" 200 "
        assert all(status in guest.head for guest in guests), guests[0].head
        return guests

    async def leave(self) -> None:
        """Cut all connections that are left."""
        for guest in self._guests:
            guest.leave()
        await until(lambda: all(guest.gone_at for guest in self._guests), within=10)

    async def _connect(self, kind: Kind, *, is_small: bool) -> Guest:
        opened = socket.socket()
        if is_small:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL)
        opened.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(opened, self._address)
        request = self._request(kind)
        _, guest = await loop.create_connection(lambda: Guest(kind, request), sock=opened)
        self._guests.append(guest)
        return guest

    def _request(self, kind: Kind) -> bytes:
        key = base64.b64encode(os.urandom(16)).decode()
        path, lines = f"/api/v1/events/stream?channel={self._channel}", []
        if kind == "socket":
            path = f"/proof/ws/{self._channel.partition(':')[2]}"
            lines = [
                "Upgrade: websocket",
                "Connection: Upgrade",
                "Sec-WebSocket-Version: 13",
                f"Sec-WebSocket-Key: {key}",
            ]
        host = f"{self._address[0]}:{self._address[1]}"
        head = [f"GET {path} HTTP/1.1", f"Host: {host}", f"Cookie: {self._cookie}", *lines]
        return "\r\n".join([*head, "", ""]).encode()


async def all_of(*coming: Awaitable[Sequence[Guest]]) -> list[Guest]:
    """Wait for several groups of guests."""
    return [guest for group in await asyncio.gather(*coming) for guest in group]
