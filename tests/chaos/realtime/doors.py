"""Ways into real processes, to publish and to listen: a channel, a route, a task, a socket.

Whatever is said stands in a table as well, which is the state that listeners load.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from fastapi import FastAPI, HTTPException, Request
from pydantic import BaseModel
from sqlalchemy import text

from chaos.ledger import Book
from tasuki import TaskContext, task
from tasuki.core.database import Database
from tasuki.core.errors import Unavailable
from tasuki.core.registry import Registry
from tasuki.realtime.channels import Namespace, Position, everybody
from tasuki.realtime.publisher import Publisher
from tasuki.realtime.sockets import add_sockets
from tasuki.web.principal import Principal

TABLE = "CREATE TABLE proof (id text PRIMARY KEY, channel text NOT NULL, how text NOT NULL)"
_SAID = text("INSERT INTO proof (id, channel, how) VALUES (:id, :channel, :how)")

How = Literal["now", "commit", "rollback"]
"""Publish at once after the state was written; or in its transaction; or undo that."""


class Said(BaseModel):
    """Somebody said something; each id is said once."""

    id: str


PROOF = Namespace(name="proof", events={"said": Said}, may_see=everybody)


class _Undone(Exception):
    """The transaction is to fail."""


async def say(get: Callable[[Any], Any], channel: str, word: str, how: How) -> Position | None:
    """Write it down, and publish it.

    Args:
        get: Finds a service of the process.

    Raises:
        Unavailable: Nobody knows whether it was published.
    """
    publisher: Publisher = get(Publisher)
    try:
        async with get(Database).unit_of_work() as session:
            await session.execute(_SAID, {"id": word, "channel": channel, "how": how})
            if how != "now":
                await publisher.publish_in(session, channel, Said(id=word))
            if how == "rollback":
                _undo()
    except _Undone:
        return None
    if how == "now":
        return await publisher.publish(channel, Said(id=word))
    return None


def _undo() -> None:
    raise _Undone


@task("proof.say")
async def say_from_worker(
    ctx: TaskContext, *, channel: str, word: str, how: How, book: str
) -> None:
    """Say something from a worker; each attempt says a word of its own."""
    party, number = word.rsplit("-", 1)
    word = f"{word}.{ctx.attempt}"
    line = {"party": party, "n": int(number), "channel": channel, "id": word, "how": how}
    try:
        position = await say(ctx.get, channel, word, how)
    except Unavailable:
        Book(Path(book)).write(**line, outcome="unknown")
    else:
        Book(Path(book)).write(**line, outcome="ok", at_position=as_pair(position))


def as_pair(position: Position | None) -> tuple[str, int] | None:
    """Return a position as JSON has it."""
    return None if position is None else (position.epoch, position.offset)


class Hearing:
    """A socket that is told what is said in one channel."""

    types = frozenset({"said"})

    def __init__(self, key: str) -> None:
        self.channels = (PROOF.channel(key),)

    async def entered(self) -> None:
        """See `SocketSession`."""

    async def received(self, message: dict[str, Any]) -> dict[str, Any] | None:
        """Answer, so that a client knows that it hears."""
        return {"type": "ready", **message}

    async def left(self) -> None:
        """See `SocketSession`."""


async def _open(_user: Principal, where: Mapping[str, Any], _services: Registry) -> Hearing:
    return Hearing(where["key"])


def add_doors(app: FastAPI) -> None:
    """Add ``POST /proof/say`` and the sockets ``/proof/ws/KEY`` to an application."""

    @app.post("/proof/say")
    async def say_here(request: Request, channel: str, word: str, how: How) -> dict[str, Any]:
        try:
            position = await say(request.app.state.tasuki.get, channel, word, how)
        except Unavailable as exc:
            raise HTTPException(503, exc.detail) from exc
        return {"position": as_pair(position)}

    add_sockets(app.router, "/proof/ws/{key}", _open)
