"""Rooms in an application with users of its own, whom Tasuki knows by what they show."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
from fastapi import FastAPI, HTTPException, Request

from support.client import Client
from support.live import live_settings, serving
from support.sockets import Talk, talking
from tasuki import Tasuki

ROOMS = "/api/v1/chat/rooms"
NAMES = {"7": "dora", "8": "エミル"}


def current_user(request: Request) -> SimpleNamespace:
    """Believe what a header says; a real application asks for a proof."""
    number = request.headers.get("X-User", "")
    if number not in NAMES:
        raise HTTPException(401, "who are you?")
    return SimpleNamespace(id=int(number), username=NAMES[number])


@dataclass
class Guest:
    """A user of the application."""

    client: Client
    user: str

    def talk(self, room: str) -> AbstractAsyncContextManager[Talk]:
        """Open a socket in a room."""
        return talking(self.client, f"/api/v1/ws/chat/{room}", **{"X-User": self.user})


@pytest.fixture
async def host(tmp_path: Path, database_url: str, redis_url: str) -> AsyncGenerator[str]:
    """An application of one's own with Tasuki in it."""
    tasuki, app = Tasuki(live_settings(database_url, redis_url, tmp_path)), FastAPI()
    tasuki.install(app, current_user=current_user)
    async with serving(app, tasuki) as url:
        yield url


async def test_people_of_an_application_talk_under_the_names_it_gives_them(host: str) -> None:
    """In public rooms and in their own; who it does not know stays outside."""
    async with Client(base_url=host, verify=False) as client:
        dora, emil, nobody = [Guest(client, user) for user in ("7", "8", "9")]
        made = await client.post(
            ROOMS, json={"name": "own", "public": False}, headers={"X-User": dora.user}
        )
        members = f"{ROOMS}/own/members"
        await client.post(members, json={"user_id": 8}, headers={"X-User": dora.user})
        async with dora.talk("own") as hers, emil.talk("own") as his:
            await hers.hear_until("user_joined")
            await his.hear_until("user_joined")
            await his.say({"type": "chat", "message": "hello"})
            told = await hers.hear_until("chat")
        async with nobody.talk("own") as talk:
            code = await talk.closed()
        listed = await client.get(members, headers={"X-User": dora.user})

    assert made.status_code == 201
    assert (told["user"], told["user_id"]) == ("エミル", 8)
    assert [(one["user_id"], one["username"]) for one in listed.json()["items"]] == [
        (7, "dora"),
        (8, "エミル"),
    ]
    assert code == 4401
