"""Files as HTTP answers: length, ETag, ranges (RFC 9110, 14), a name every browser gets right."""

from base64 import b64encode
from pathlib import Path
from urllib.parse import quote

from fastapi.responses import FileResponse

from tasuki.core.errors import NotFound

_MOST_NAME = 200


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
    return FileResponse(
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
