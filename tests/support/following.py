"""A client that follows channels by Server-Sent Events."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx


class Events:
    """Reads frames as they come."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.aiter_lines()
        self.last_id = ""

    async def frame(self) -> dict[str, str]:
        """Return the fields of the next frame."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(10):
            async for line in self._lines:
                if not line:
                    self.last_id = fields.get("id", self.last_id)
                    return fields
                name, _, value = line.partition(": ")
                fields[name] = value
        raise AssertionError("the stream ended")

    async def frames(self) -> AsyncGenerator[dict[str, str]]:
        """Return all frames that are still to come, up to the end of the stream."""
        fields: dict[str, str] = {}
        async for line in self._lines:
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            else:
                yield fields
                fields = {}

    async def until_over(self) -> None:
        """Read to the end of the stream."""
        async for _ in self._lines:
            pass

    async def event(self) -> tuple[str, Any]:
        """Return type and data of the next frame that has data."""
        while True:
            fields = await self.frame()
            if "data" in fields:
                return fields["event"], json.loads(fields["data"])

    async def event_of(self, wanted: str) -> Any:
        """Return the data of the next event of a type."""
        while True:
            kind, data = await self.event()
            if kind == wanted:
                return data


@asynccontextmanager
async def following(
    client: httpx.AsyncClient, *channels: str, last_id: str | None = None
) -> AsyncGenerator[Events]:
    """Follow channels, from where one was."""
    headers = {"Last-Event-ID": last_id} if last_id else {}
    query = {"channel": list(channels)}
    url = "/api/v1/events/stream"
    async with client.stream("GET", url, params=query, headers=headers) as answer:
        assert answer.status_code == 200, await answer.aread()
        yield Events(answer)
