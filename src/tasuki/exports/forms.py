"""How rows look in a file: CSV, a JSON array, or a JSON object a line; plain or compressed.

PostgreSQL writes the lines itself. What is added here is what stands before, between and after
them, a quarter of a megabyte at a time.
"""

import sys
import zlib
from dataclasses import dataclass
from typing import Literal, Protocol

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from tasuki.core.errors import ValidationFailed

Format = Literal["csv", "json", "ndjson"]
Profile = Literal["data", "excel"]
Encoding = Literal["identity", "gzip", "zstd"]

_BOM = b"\xef\xbb\xbf"  # without it Excel reads UTF-8 as something else
_LEVEL = 1  # beyond it compressing takes longer than reading the rows
_GZIP = 16 + zlib.MAX_WBITS
_ENDS_OF_LINES = tuple(
    (char.encode(), f"\\u{ord(char):04x}".encode()) for char in "\x85\u2028\u2029"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """The form of an export's file.

    Attributes:
        profile: ``data`` loses nothing. ``excel`` is for people: a byte order mark, times without
            a zone (UTC), and cells that a spreadsheet would run as a formula begin with ``'``.
        has_end: For ``ndjson``: after the rows comes ``{"$end": {"rows": …}}``, for programs that
            see lines and not how the transfer ended.
        member: For ``json``: the rows are this member of an object, instead of the whole.
    """

    format: Format
    profile: Profile = "data"
    encoding: Encoding = "identity"
    member: str | None = None
    has_end: bool = False

    def __post_init__(self) -> None:
        """Refuse what would be nothing.

        Raises:
            ValidationFailed: ``excel`` is asked of something else than CSV, or a record of the
                end of something else than NDJSON.
        """
        if self.profile == "excel" and self.format != "csv":
            raise ValidationFailed("profile: excel is a profile of the format csv")
        if self.has_end and self.format != "ndjson":
            raise ValidationFailed("end: only the format ndjson has a record of its end")

    @property
    def media_type(self) -> str:
        """The type of the file before it is compressed (RFC 4180; RFC 8259)."""
        return {
            "csv": "text/csv; charset=utf-8; header=present",
            "json": "application/json",
            "ndjson": "application/x-ndjson",
        }[self.format]

    def file_name(self, stem: str) -> str:
        """Return a file's name with the ending of this form."""
        return f"{stem}.{self.format}"


class Framing(Protocol):
    """Adds to the lines what the form needs around them."""

    @property
    def rows(self) -> int:
        """How many rows went through."""
        ...

    def feed(self, lines: bytes) -> bytes:
        """Take some whole lines, at least one."""
        ...

    def end(self) -> bytes:
        """Return what stands after the last line."""
        ...


class _Csv:
    """Lines of CSV; one cell may have several."""

    def __init__(self, *, has_bom: bool) -> None:
        self._prefix = _BOM if has_bom else b""
        self._lines = 0

    @property
    def rows(self) -> int:
        return max(0, self._lines - 1)  # the first is the header

    def feed(self, lines: bytes) -> bytes:
        if b'"' in lines:
            self._lines += sum(part.count(b"\n") for part in lines.split(b'"')[::2])
        else:
            self._lines += lines.count(b"\n")
        prefix, self._prefix = self._prefix, b""
        return prefix + lines if prefix else lines

    def end(self) -> bytes:
        return self._prefix


class _Ndjson:
    """One object a line.

    Many programs take more for the end of a line than a line feed: Python's ``splitlines``, Node's
    ``readline``. In JSON such characters occur within texts only, and may be escaped there.
    """

    def __init__(self, *, has_end: bool) -> None:
        self.rows = 0
        self._has_end = has_end

    def feed(self, lines: bytes) -> bytes:
        self.rows += lines.count(b"\n")
        for plain, escaped in _ENDS_OF_LINES:
            if plain[:1] in lines:  # a single byte is looked for forty times as fast
                lines = lines.replace(plain, escaped)
        return lines

    def end(self) -> bytes:
        return b'{"$end":{"rows":%d}}\n' % self.rows if self._has_end else b""


class _Array:
    """Objects between brackets. A line's end is held back until there is another line."""

    def __init__(self, member: str | None) -> None:
        self.rows = 0
        self._prefix = f'{{"{member}": ['.encode() if member else b"["
        self._suffix = b"]}\n" if member else b"]\n"

    def feed(self, lines: bytes) -> bytes:
        self.rows += lines.count(b"\n")
        prefix, self._prefix = self._prefix, b",\n"
        return prefix + lines.removesuffix(b"\n").replace(b"\n", b",\n")

    def end(self) -> bytes:
        return self._suffix if self.rows else self._prefix + self._suffix


def framing_of(form: Form) -> Framing:
    """Return what makes a file of this form from lines."""
    if form.format == "csv":
        return _Csv(has_bom=form.profile == "excel")
    if form.format == "ndjson":
        return _Ndjson(has_end=form.has_end)
    return _Array(form.member)


class Encoder(Protocol):
    """Compresses, or does not."""

    def feed(self, data: bytes) -> bytes:
        """Take some bytes, and return what there is to send."""
        ...

    def end(self) -> bytes:
        """Return the rest."""
        ...


class _Identity:
    def feed(self, data: bytes) -> bytes:
        return data

    def end(self) -> bytes:
        return b""


class _Gzip:
    def __init__(self) -> None:
        self._compressor = zlib.compressobj(_LEVEL, wbits=_GZIP)

    def feed(self, data: bytes) -> bytes:
        return self._compressor.compress(data)

    def end(self) -> bytes:
        return self._compressor.flush()


class _Zstd:
    def __init__(self) -> None:
        self._compressor = zstd.ZstdCompressor(_LEVEL)

    def feed(self, data: bytes) -> bytes:
        return self._compressor.compress(data)

    def end(self) -> bytes:
        return self._compressor.flush()


def encoder_of(encoding: Encoding) -> Encoder:
    """Return what compresses (RFC 1952, RFC 8878)."""
    if encoding == "gzip":
        return _Gzip()
    return _Zstd() if encoding == "zstd" else _Identity()


def choose_encoding(accepted: str) -> Encoding:
    """Choose by ``Accept-Encoding`` (RFC 9110, 12.5.3): zstd, then gzip, unless refused."""
    weights: dict[str, float] = {}
    for part in accepted.lower().split(","):
        name, _, parameters = part.strip().partition(";")
        try:
            weights[name.strip()] = float(parameters.strip().removeprefix("q=") or 1)
        except ValueError:
            weights[name.strip()] = 0
    best: Encoding = "identity"
    for encoding in ("gzip", "zstd"):
        if weights.get(encoding, 0) > 0:
            best = encoding
    return best
