"""How publications look on each kind of wire, and how a stream's position is written down.

The position of a stream is that of all its channels, in the order of their names, so that the
one ``Last-Event-ID`` a browser keeps is enough to go on in every one of them.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tasuki.realtime.channels import Position, Publication
from tasuki.realtime.feed import Places

MOST_CHANNELS = 16
"""Channels of one stream; each event carries the positions of all of them."""
_VERSION = "v1"
_PLACE = re.compile(r"([A-Za-z0-9_-]{1,40})\.([0-9]{1,18})", re.ASCII)
_NOT_YET = "-"
_NOBODY_KNOWS = Position("unknown", 0)


def write_places(channels: Sequence[str], places: Places) -> str:
    """Return where a stream is, as the ``id:`` of an event."""
    written = (places.get(channel) for channel in channels)
    return ";".join(
        [_VERSION, *(f"{place.epoch}.{place.offset}" if place else _NOT_YET for place in written)]
    )


def read_places(text: str | None, channels: Sequence[str]) -> dict[str, Position]:
    """Read a ``Last-Event-ID``, which may be anything.

    Who comes with one that says nothing of these channels was somewhere, and nobody knows where:
    that is a place from which no history goes on, so they are told that something may be lost.
    """
    if not text:
        return {}
    version, *parts = text.split(";", len(channels) + 1)
    if version != _VERSION or len(parts) != len(channels):
        return dict.fromkeys(channels, _NOBODY_KNOWS)
    return {
        channel: _read_place(part)
        for channel, part in zip(channels, parts, strict=True)
        if part != _NOT_YET
    }


def _read_place(text: str) -> Position:
    place = _PLACE.fullmatch(text)
    return _NOBODY_KNOWS if place is None else Position(place[1], int(place[2]))


@dataclass(frozen=True, slots=True)
class ServerSentEvents:
    """Server-Sent Events (WHATWG HTML, 9.2) over some channels."""

    channels: tuple[str, ...]
    has_places: bool = True

    def publication(self, publication: Publication, places: Places) -> bytes:
        """See `Format.publication`."""
        return self._event(publication.type, _envelope(publication), places)

    def reset(self, channels: Sequence[str], places: Places) -> bytes:
        """See `Format.reset`."""
        return self._event("reset", json.dumps({"channels": list(channels)}), places)

    def place(self, places: Places, *, retry_ms: int | None = None) -> bytes:
        """Return a frame that moves ``Last-Event-ID`` and fires no handler."""
        retry = f"retry: {retry_ms}\n" if retry_ms is not None else ""
        return f"{retry}id: {write_places(self.channels, places)}\n\n".encode()

    def _event(self, kind: str, data: str, places: Places) -> bytes:
        at = write_places(self.channels, places)
        return f"id: {at}\nevent: {kind}\ndata: {data}\n\n".encode()


@dataclass(frozen=True, slots=True)
class JsonLines:
    """The same events, each a line of JSON."""

    channels: tuple[str, ...]
    has_places: bool = True

    def publication(self, publication: Publication, places: Places) -> bytes:
        """See `Format.publication`."""
        return self._line(publication.type, _envelope(publication), places)

    def reset(self, channels: Sequence[str], places: Places) -> bytes:
        """See `Format.reset`."""
        return self._line("reset", json.dumps({"channels": list(channels)}), places)

    def place(self, places: Places, *, retry_ms: int | None = None) -> bytes:
        """Return a line that says where the stream is, and nothing else."""
        retry = f',"retry_ms":{retry_ms}' if retry_ms is not None else ""
        return f'{{"id":"{write_places(self.channels, places)}"{retry}}}\n'.encode()

    def _line(self, kind: str, data: str, places: Places) -> bytes:
        at = write_places(self.channels, places)
        return f'{{"id":"{at}","event":"{kind}","data":{data}}}\n'.encode()


@dataclass(frozen=True, slots=True)
class Flat:
    """JSON messages with the type among the fields, as simple sockets have them.

    Attributes:
        types: What such a client is told of; other words it does not know.
        framing: Makes what its wire takes of a text; see `SocketWire.frame`.
    """

    types: frozenset[str]
    framing: Callable[[bytes], bytes]
    has_places: bool = False

    def publication(self, publication: Publication, places: Places) -> bytes | None:
        """See `Format.publication`."""
        del places
        if publication.type not in self.types:
            return None
        comma = "" if publication.data == "{}" else ","
        message = f'{{"type":"{publication.type}"{comma}{publication.data[1:]}'
        return self.framing(message.encode())

    def reset(self, channels: Sequence[str], places: Places) -> None:
        """See `Format.reset`: these clients have no word for it."""
        del channels, places


def _envelope(publication: Publication) -> str:
    offset = publication.position.offset if publication.position else "null"
    return (
        f'{{"channel":"{publication.channel}","offset":{offset},"type":"{publication.type}",'
        f'"at":"{publication.at}","data":{publication.data}}}'
    )
