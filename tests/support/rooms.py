"""Two web processes of one system, and people who talk in rooms through either."""

import itertools
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.client import Client
from support.live import Live, live_settings, running_live, serving
from support.servers import Servers
from support.sockets import Talk, talking
from tasuki.chat import ChatSettings
from tasuki.wiring import Tasuki
from tasuki.wiring.web import create_app

GRACE_S = 0.4
"""Seconds until somebody has left a room of a `Town`."""


@dataclass
class Person:
    """A user, with a browser at each web process."""

    id: int
    name: str
    here: Client
    there: Client

    def knock(self, room: str, *, there: bool = False) -> AbstractAsyncContextManager[Talk]:
        """Try to open a socket in a room."""
        return talking(self.there if there else self.here, f"/api/v1/ws/chat/{room}")

    @asynccontextmanager
    async def talk(self, room: str, *, there: bool = False) -> AsyncGenerator[Talk]:
        """Be in a room by a socket that hears everything from now on."""
        async with self.knock(room, there=there) as talk:
            await talk.say("not a message")  # is answered once the socket is there for good
            await talk.hear_until("error")
            yield talk

    async def make_room(self, room: str, *others: "Person", public: bool = False) -> str:
        """Make a room with some members, and return its name."""
        made = await self.here.post("/api/v1/chat/rooms", json={"name": room, "public": public})
        assert made.status_code == 201, made.text
        for other in others:
            await self.add(room, other)
        return room

    async def add(self, room: str, other: "Person") -> None:
        """Add somebody to a room."""
        members = f"/api/v1/chat/rooms/{room}/members"
        added = await self.here.post(members, json={"user_id": other.id})
        assert added.status_code == 201, added.text

    async def messages(self, room: str, **query: Any) -> dict[str, Any]:
        """Return a page of what was said in a room."""
        answer = await self.here.get(f"/api/v1/chat/rooms/{room}/messages", params=query)
        assert answer.status_code == 200, answer.text
        page: dict[str, Any] = answer.json()
        return page


@dataclass
class Town:
    """See the module."""

    live: Live
    there: str
    other: Tasuki
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    async def person(self, name: str) -> Person:
        """Return somebody new; no two have the same name."""
        name = f"{name}{next(self._numbers)}"
        user_id = await self.live.add_user(name)
        here = await self.live.browser(user_id)
        there = await self.live.clients.enter_async_context(
            Client(base_url=self.there, timeout=10, verify=False, cookies=here.cookies)
        )
        return Person(user_id, name, here, there)

    def room(self) -> str:
        """Return a name that no room has."""
        return f"room-{next(self._numbers)}"

    async def rows(self, statement: str, *values: Any) -> list[Any]:
        """Run a statement on the database and return its rows."""
        async with self.live.database.driver() as connection:
            return list(await connection.fetch(statement, *values))


@asynccontextmanager
async def running_town(
    servers: Servers, folder: Path, *, rooms_per_user: int = 100
) -> AsyncGenerator[Town]:
    """Run both on a database of their own."""
    database_url = await servers.create_database()
    chat = ChatSettings(leave_after_s=GRACE_S, rooms_per_user=rooms_per_user)
    settings = live_settings(database_url, servers.redis_url, folder)
    settings = settings.model_copy(update={"chat": chat})
    other = Tasuki(settings)
    async with running_live(settings) as live, serving(create_app(other), other) as there:
        yield Town(live, there, other)
    await servers.drop_database(database_url)
