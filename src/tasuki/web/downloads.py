"""Files as HTTP answers: length, ETag, ranges (RFC 9110, 14), a name every browser gets right."""

import re
from base64 import b64encode
from pathlib import Path
from urllib.parse import quote

from fastapi.responses import FileResponse
from starlette.types import Receive, Scope, Send

from tasuki.core.errors import NotFound

_MOST_NAME = 200
_RANGES = re.compile(rb"bytes=\s*\d*-\d*(\s*,\s*\d*-\d*)*\s*", re.IGNORECASE)


class _File(FileResponse):
    """Ignores ranges in units or words that are none of ours (RFC 9110, 14.2)."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kept = [
            (name, value)
            for name, value in scope["headers"]
            if name != b"range" or _RANGES.fullmatch(value)
        ]
        await super().__call__({**scope, "headers": kept}, receive, send)


def file_response(
    path: Path, *, name: str, media_type: str, etag: str, sha256: str
) -> FileResponse:
    """Return an answer that sends a file, whole or the ranges asked for.

    Args:
        etag: Names these very bytes; without quotes.
        sha256: Of the bytes as they are sent, in hexadecimal; told as ``Repr-Digest`` (RFC 9530).

    Raises:
        NotFound: The file is gone, e.g. because it expired a moment ago.
    """
    try:
        status = path.stat()
    except FileNotFoundError as exc:
        raise NotFound("The file has expired.") from exc
    return _File(
        path,
        stat_result=status,
        media_type=media_type,
        headers={
            "ETag": f'"{etag}"',
            "Content-Disposition": disposition(name),
            "Repr-Digest": f"sha-256=:{b64encode(bytes.fromhex(sha256)).decode()}:",
            "Cache-Control": "private, no-cache",
            "Content-Security-Policy": "default-src 'none'; sandbox",
        },
    )


def disposition(name: str) -> str:
    """Return a ``Content-Disposition`` for a download (RFC 6266).

    ``filename`` is what old clients can read, ``filename*`` (RFC 8187) the true name.
    """
    name = name[:_MOST_NAME]
    plain = "".join(
        char if char.isascii() and char.isprintable() and char not in '"\\%' else "_"
        for char in name
    )
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
