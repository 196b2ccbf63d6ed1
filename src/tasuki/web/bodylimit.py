"""Keeps a request's body from filling the memory."""

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope

from tasuki.core.errors import BodyTooLarge


def limited(scope: Scope, receive: Receive, *, limit_bytes: int) -> Receive:
    """Return ``receive`` with a limit on what it reads in all.

    It raises the framework's own error, which FastAPI lets through while it reads a body.

    Raises:
        BodyTooLarge: The body announces itself as too large; nothing of it is read.
    """
    message = f"The body is larger than {limit_bytes} bytes."
    if _announced_bytes(scope) > limit_bytes:
        raise BodyTooLarge(message)
    received = 0

    async def receive_limited() -> Message:
        nonlocal received
        part = await receive()
        received += len(part.get("body", b""))
        if received > limit_bytes:
            raise HTTPException(BodyTooLarge.status, message)
        return part

    return receive_limited


def _announced_bytes(scope: Scope) -> int:
    length = Headers(scope=scope).get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() and len(length) < 20 else 0
