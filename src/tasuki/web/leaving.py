"""How a web process leaves without a client noticing.

A load balancer learns from ``/readyz`` that requests should go elsewhere, or from a refused
connection. Two kinds of request would be lost all the same, and each has its cure here: one that
comes on a connection which is kept open, and one whose connection the kernel has accepted already
when the socket is closed.
"""

import asyncio
import contextlib
import ctypes
import socket
import struct
import sys
from collections.abc import Callable

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SO_ATTACH_FILTER = 26  # Linux; Python has no name for it
# A filter of the kernel (classic BPF): drop a segment with the flag SYN, let others pass.
_NO_SYN = (
    (0x30, 0, 0, 13),  # load the byte with the flags of the TCP header (RFC 9293, 3.1)
    (0x45, 0, 1, 0x02),  # is SYN set?
    (0x06, 0, 0, 0),  # then nothing of it
    (0x06, 0, 0, 0xFFFFFFFF),  # else all of it
)
# What has begun is over after a round trip. In several rounds, since a loop that was held up goes
# on here before it looks at its sockets.
_ROUNDS = 10
_ROUND_S = 0.05


class LastAnswers:
    """Says on each answer of a leaving process that its connection ends with it.

    Args:
        is_leaving: Asked for each answer.
    """

    def __init__(self, app: ASGIApp, *, is_leaving: Callable[[], bool]) -> None:
        self._app = app
        self._is_leaving = is_leaving

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_last(message: Message) -> None:
            if message["type"] == "http.response.start" and self._is_leaving():
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        await self._app(scope, receive, send_last)


async def let_nobody_in(listener: socket.socket) -> None:
    """Have no new connection begin, and take those that have begun.

    Closing the socket would reset what the kernel has accepted and we have not, perhaps with a
    request in it. Who comes now gets no answer, tries again after a second and is refused then.
    Elsewhere than on Linux it does nothing.
    """
    if sys.platform != "linux":
        return
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *code) for code in _NO_SYN))
    pointer = struct.pack("HP", len(_NO_SYN), ctypes.addressof(program))
    with contextlib.suppress(OSError):  # forbidden here: then as on other systems
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, pointer)
        for _ in range(_ROUNDS):
            await asyncio.sleep(_ROUND_S)
