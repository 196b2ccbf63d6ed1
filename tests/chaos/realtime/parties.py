"""Those who listen to channels, through whatever happens, and those who publish in them."""

import asyncio
import contextlib
import json
import random
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

import asyncpg
import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from chaos.ledger import Book
from tasuki.core.errors import Unavailable

_AGAIN_S = (0.05, 0.3)
_SILENT_S = 40.0  # a heartbeat is due every 15 seconds
_BROKEN = (httpx.TransportError, ConnectionClosed, InvalidHandshake, OSError, EOFError)


class Listener:
    """Listens for ever; after each end of a connection it comes back, to any of the processes.

    Args:
        urls: Where web processes may be.
        client: Somebody who is signed in.
        database: Where the state is read.
    """

    kind = ""

    def __init__(
        self,
        name: str,
        channels: Sequence[str],
        *,
        urls: Sequence[str],
        client: httpx.AsyncClient,
        database: "asyncpg.Pool[asyncpg.Record]",
        book: Book,
        rng: random.Random,
    ) -> None:
        self.name = name
        self.channels = tuple(sorted(channels))
        self.knows: dict[str, set[str]] = defaultdict(set)
        self._urls = urls
        self._client = client
        self._database = database
        self._book = book
        self._rng = rng
        self._unread: set[str] = set()
        self._connection: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Listen until cancelled."""
        try:
            while True:
                self._connection = asyncio.create_task(self._listen(self._rng.choice(self._urls)))
                await asyncio.wait({self._connection})
                if not self._connection.cancelled():
                    error = self._connection.exception()
                    if error is not None and not isinstance(error, _BROKEN):
                        raise error
                await asyncio.sleep(self._rng.uniform(*_AGAIN_S))
        finally:
            self.drop()

    def drop(self) -> None:
        """Go away in the middle of whatever it is."""
        if self._connection is not None:
            self._connection.cancel()

    async def _listen(self, url: str) -> None:
        raise NotImplementedError

    def _note(self, what: str, **words: Any) -> None:
        self._book.write(who=self.name, kind=self.kind, what=what, **words)

    def _said(self, channel: str, word: str, **words: Any) -> None:
        self.knows[channel].add(word)
        self._note("said", channel=channel, id=word, **words)

    async def _load_state(self) -> None:
        """Read the state where something may be missing; what begins is done, or begun anew."""
        for channel in sorted(self._unread):
            rows = await self._database.fetch("SELECT id FROM proof WHERE channel = $1", channel)
            ids = [row["id"] for row in rows]
            self.knows[channel].update(ids)
            self._note("state", channel=channel, ids=ids)
            self._unread.discard(channel)


class Stream(Listener):
    """Follows channels by Server-Sent Events or JSON Lines, as a browser does."""

    kind = "stream"
    accept = "text/event-stream"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._last_id = ""
        self._unread = set(self.channels)

    async def _listen(self, url: str) -> None:
        last = {"Last-Event-ID": self._last_id} if self._last_id else {}
        async with self._client.stream(
            "GET",
            f"{url}/api/v1/events/stream",
            params={"channel": list(self.channels)},
            headers={"Accept": self.accept, **last},
            timeout=_SILENT_S,
        ) as answer:
            self._note("answer", status=answer.status_code)
            if answer.status_code != 200:
                return
            async for last_id, kind, data in self._frames(answer):
                self._take(last_id, kind, data)
                await self._load_state()

    async def _frames(self, answer: httpx.Response) -> AsyncGenerator[tuple[str, str, Any]]:
        """Read frames (WHATWG HTML, 9.2): what has no blank line at its end was not sent."""
        fields: dict[str, str] = {}
        async for line in answer.aiter_lines():
            name, _, text = line.partition(": ")
            if line:
                fields[name] = text
            else:
                yield fields["id"], fields.get("event", ""), json.loads(fields.get("data", "null"))
                fields = {}

    def _take(self, last_id: str, kind: str, data: Any) -> None:
        self._last_id = last_id
        written = zip(self.channels, last_id.split(";")[1:], strict=True)
        places = {channel: _place(text) for channel, text in written if text != "-"}
        if kind == "said":
            word = data["data"]["id"]
            self._said(data["channel"], word, offset=data["offset"], places=places)
        elif kind == "reset":
            self._unread |= set(data["channels"])
            self._note("reset", channels=data["channels"], places=places)
        else:
            self._note("place", places=places)


class Lines(Stream):
    """The same by JSON Lines."""

    accept = "application/jsonl"

    async def _frames(self, answer: httpx.Response) -> AsyncGenerator[tuple[str, str, Any]]:
        # The last line of a broken connection may be a part of one.
        last = ""
        async for text in answer.aiter_text():
            *lines, last = (last + text).split("\n")
            for line in lines:
                frame = json.loads(line)
                yield frame["id"], frame.get("event", ""), frame.get("data")


class Socket(Listener):
    """Hears one channel by WebSockets; each of them begins anew."""

    kind = "socket"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._number = 0

    async def _listen(self, url: str) -> None:
        (channel,) = self.channels
        self._number += 1
        number = self._number
        key = channel.partition(":")[2]
        address = f"{url.replace('http', 'ws', 1)}/proof/ws/{key}"
        cookie = "; ".join(f"{name}={value}" for name, value in self._client.cookies.items())
        async with connect(
            address, additional_headers={"Cookie": cookie}, proxy=None, compression=None
        ) as socket:
            await socket.send("{}")
            try:
                async for text in socket:
                    message = json.loads(text)
                    if message["type"] == "said":
                        self._said(channel, message["id"], socket=number)
                    else:
                        self._note("ready", socket=number, channel=channel)
                        self._unread = {channel}
                    await self._load_state()
            except ConnectionClosed:
                pass
            self._note("closed", socket=number, channel=channel, code=socket.close_code or 1006)


class Speaker:
    """Publishes one thing after the other, by lot, and writes down what it was told.

    Args:
        from_worker: Orders a task that says it; see `chaos.realtime.doors`.
    """

    def __init__(
        self,
        name: str,
        channels: Sequence[str],
        *,
        urls: Sequence[str],
        client: httpx.AsyncClient,
        book: Book,
        rng: random.Random,
        from_worker: Callable[..., Any] | None = None,
    ) -> None:
        self.name = name
        self._channels = channels
        self._urls = urls
        self._client = client
        self._book = book
        self._rng = rng
        self._from_worker = from_worker
        self._said = 0

    async def run(self) -> None:
        """Speak until cancelled."""
        while True:
            channel = self._rng.choice(self._channels)
            how = self._rng.choices(["now", "commit", "rollback"], weights=[5, 4, 1])[0]
            await self.say(channel, how)
            await asyncio.sleep(self._rng.uniform(0.02, 0.12))

    async def say(self, channel: str, how: str) -> str:
        """Say one thing; return what came of it: ``ok``, ``unknown``, or ``left`` to a worker."""
        self._said += 1
        word = f"{self.name}-{self._said}"
        if self._from_worker is not None:
            order = {"channel": channel, "word": word, "how": how, "book": str(self._book.path)}
            with contextlib.suppress(Unavailable):  # nobody knows whether it is ordered
                await self._from_worker(**order)
            return "left"
        line = {"party": self.name, "n": self._said, "channel": channel, "id": word, "how": how}
        query = {"channel": channel, "word": word, "how": how}
        outcome: dict[str, Any] = {"outcome": "unknown"}
        with contextlib.suppress(httpx.TransportError):
            url = f"{self._rng.choice(self._urls)}/proof/say"
            answer = await self._client.post(url, params=query)
            if answer.status_code == 200:
                outcome = {"outcome": "ok", "at_position": answer.json()["position"]}
        self._book.write(**line, **outcome)
        return str(outcome["outcome"])


def _place(text: str) -> tuple[str, int]:
    epoch, _, offset = text.partition(".")
    return epoch, int(offset)
