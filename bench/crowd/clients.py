"""Hundreds of clients in one process that cost little: it opens connections and counts.

Steered by lines of JSON on standard input, see `bench.crowd.steering.Crowd`. A frame of the
expected look and size is only counted; everything else is read as RFC 6455 says: compressed
frames, pings, which are answered, and frames that come in pieces.
"""

import json
import re
import select
import socket
import sys
import time
import zlib
from collections.abc import Iterator
from typing import Any

_AT_ONCE = 20  # handshakes on their way together
_BUFFER = 1 << 18
_SILENT_FOR_S = 20.0
_WITHIN_S = 30.0
_EVERY = 50  # of so many sockets the messages of one are kept and compared
_NUMBER = re.compile(rb'"number": ?(\d+)')
_MASK = b"\0\0\0\0"
_TEXT, _PING, _CLOSE = 1, 9, 8


class Lost(RuntimeError):
    """Something did not arrive, or is not what was sent."""


class Ear:
    """One WebSocket.

    Attributes:
        messages: How many have come since the last question.
        kept: Their text, if it is kept.
    """

    def __init__(self, connection: socket.socket, head: bytes, *, keeps: bool) -> None:
        self.connection = connection
        self.messages = 0
        self.kept: list[bytes] = []
        self._head = head
        self._size = len(head) and len(head) + int.from_bytes(head[2:4])
        self._keeps = keeps
        self._rest = b""
        self._inflate = zlib.decompressobj(-15)

    def take(self, data: bytes) -> int:
        """Read what came; return how many messages that were."""
        found = data.count(self._head) if self._size and not self._rest else 0
        if not found or found * self._size != len(data):
            found = self._read(self._rest + data)
        elif self._keeps:
            self.kept.append(data)
        self.messages += found
        return found

    def _read(self, data: bytes) -> int:
        found = 0
        for first, payload in self._frames(data):
            if first & 15 == _PING:
                self.connection.send(b"\x8a" + bytes([0x80 | len(payload)]) + _MASK + payload)
            elif first & 15 == _CLOSE:
                raise Lost(f"the server closed a socket: {payload[2:].decode()!r}")
            else:
                found += 1
                self._keep(payload, is_deflated=bool(first & 0x40))
        return found

    def _frames(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        at = 0
        while len(data) - at >= 2:
            size, start = data[at + 1], at + 2
            if size == 126:
                size, start = int.from_bytes(data[at + 2 : at + 4]), at + 4
            if len(data) < start + size:
                break
            yield data[at], data[start : start + size]
            at = start + size
        self._rest = data[at:]

    def _keep(self, payload: bytes, *, is_deflated: bool) -> None:
        if not self._keeps:
            return
        if is_deflated:  # RFC 7692, 7.2.2
            payload = self._inflate.decompress(payload + b"\0\0\xff\xff")
        self.kept.append(payload)

    def numbers(self) -> list[int]:
        """Return the numbers of the messages that came, and forget them."""
        text, self.kept = b"".join(self.kept), []
        return [int(number) for number in _NUMBER.findall(text)]


class Crowd:
    """All connections, and what they have heard."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._ears: dict[int, Ear] = {}
        self._streams: dict[int, socket.socket] = {}
        self._reads = 0

    def obey(self, *, do: str, **how: Any) -> dict[str, Any]:
        """Do what the parent says, and return what it is answered."""
        if do == "count":
            return self.count(**how)
        if do == "stay":
            return self.stay(**how)
        self.open(**how)
        return {}

    def open(
        self,
        *,
        port: int,
        requests: list[str],
        head: str = "",
        hello: str = "",
        greetings: int = 0,
        is_stream: bool = False,
    ) -> None:
        """Open one connection for each request.

        Args:
            head: The first bytes of each frame, as hexadecimal text, if all have the same size.
            hello: Sent first by each client.
            greetings: How many messages come before those that count.
            is_stream: They are answers that go on, and nothing is counted.
        """
        for start in range(0, len(requests), _AT_ONCE):
            opened = [_ask(port, request) for request in requests[start : start + _AT_ONCE]]
            rests = [_answer(connection, "200" if is_stream else "101") for connection in opened]
            self._hear_all(0)  # those who are there are asked whether they live
            if is_stream:
                self._follow(opened)
                continue
            ears = [
                Ear(one, bytes.fromhex(head), keeps=(len(self._ears) + place) % _EVERY == 0)
                for place, one in enumerate(opened)
            ]
            for ear in ears:
                if hello:
                    ear.connection.send(_frame(hello.encode()))
            for ear, rest in zip(ears, rests, strict=True):
                self._welcome(ear, rest, greetings)

    def _follow(self, opened: list[socket.socket]) -> None:
        for connection in opened:
            self._streams[connection.fileno()] = connection
            self._poll.register(connection, select.EPOLLIN)

    def _welcome(self, ear: Ear, rest: bytes, greetings: int) -> None:
        ear.take(rest)
        while ear.messages < greetings:
            ear.take(_receive(ear.connection))
        ear.messages = 0
        ear.kept.clear()
        self._ears[ear.connection.fileno()] = ear
        self._poll.register(ear.connection, select.EPOLLIN)

    def listen(self, stdin: int) -> bool:
        """Read what comes until the parent says something; tell whether it did."""
        for fd, _ in self._poll.poll(1.0):
            if fd == stdin:
                return True
            self._hear(fd)
        return False

    def register(self, stdin: int) -> None:
        """Let `listen` watch where the parent's words come from."""
        self._poll.register(stdin, select.EPOLLIN)

    def _hear_all(self, within_s: float) -> None:
        for fd, _ in self._poll.poll(within_s):
            if fd in self._ears or fd in self._streams:
                self._hear(fd)

    def _hear(self, fd: int) -> int:
        ear = self._ears.get(fd)
        if ear is None:
            _receive(self._streams[fd])
            return 0
        self._reads += 1
        return ear.take(_receive(ear.connection))

    def count(self, *, messages: int, first: int, together: int) -> dict[str, Any]:
        """Wait until every socket has heard so many messages, and check that they are those.

        Args:
            first: The number of the first; each has the next.
            together: How many were published at once, and may so change places.
        """
        surplus = [ear for ear in self._ears.values() if ear.messages]
        if surplus:
            texts = [text for ear in surplus for text in ear.kept][:3]
            raise Lost(f"{len(surplus)} sockets got more than was published: {texts}")
        print("{}", flush=True)  # nothing is published before this
        self._reads = 0
        missing = messages * len(self._ears)
        heard_at = time.monotonic()
        while missing > 0:
            for fd, _ in self._poll.poll(1.0):
                missing -= self._hear(fd)
                heard_at = time.monotonic()
            if time.monotonic() - heard_at > _SILENT_FOR_S:
                raise Lost(f"{missing} messages did not arrive")
        self._check(messages, first, together)
        return {"last_at": heard_at, "reads": self._reads}

    def stay(self, *, seconds: float) -> dict[str, Any]:
        """Do what clients do by themselves, for a while."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._hear_all(1.0)
        return {}

    def _check(self, messages: int, first: int, together: int) -> None:
        for ear in self._ears.values():
            if ear.messages != messages:
                raise Lost(f"a socket got {ear.messages} messages instead of {messages}")
            ear.messages = 0
        orders = {tuple(ear.numbers()) for ear in self._ears.values() if ear.kept}
        if len(orders) != 1:
            raise Lost("sockets got the messages in different orders")
        (order,) = orders
        for start in range(0, messages, together):
            wanted = range(first + start, first + min(start + together, messages))
            if sorted(order[start : start + together]) != list(wanted):
                raise Lost(f"message {first + start} and its neighbours came out of order")


def _ask(port: int, request: str) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=_WITHIN_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.send(request.encode())
    return connection


def _receive(connection: socket.socket) -> bytes:
    data = connection.recv(_BUFFER)
    if not data:
        raise Lost("the server closed a connection")
    return data


def _answer(connection: socket.socket, status: str) -> bytes:
    """Read the head of an answer; return what came behind it."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _receive(connection)
    head, _, rest = data.partition(b"\r\n\r\n")
    if head.split(b" ", 2)[1].decode() != status:
        raise Lost(f"not welcome: {data[:500]!r}")
    return rest


def _frame(payload: bytes) -> bytes:
    """Return a short text frame as a client sends it: masked, with zeros."""
    return bytes([0x80 | _TEXT, 0x80 | len(payload)]) + _MASK + payload


def main() -> None:
    crowd = Crowd()
    stdin = sys.stdin.fileno()
    crowd.register(stdin)
    while True:
        if not crowd.listen(stdin):
            continue
        line = sys.stdin.readline()
        if not line:
            return
        command: dict[str, Any] = json.loads(line)
        print(json.dumps(crowd.obey(**command)), flush=True)


if __name__ == "__main__":
    main()
