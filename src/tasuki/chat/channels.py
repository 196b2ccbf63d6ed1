"""The channels of rooms: what is said in them, and who comes and goes."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from tasuki.chat.errors import RoomNotFound
from tasuki.chat.records import Message
from tasuki.chat.repository import ChatRepository
from tasuki.chat.schemas import ChatMessage, UserJoined, UserLeft
from tasuki.chat.service import ChatService
from tasuki.core.clock import rfc3339
from tasuki.core.database import Database, Session
from tasuki.core.jsontext import dump
from tasuki.core.registry import Registry
from tasuki.realtime.channels import Namespace, Position, Publication, Slice
from tasuki.web.principal import Principal


async def _may_enter(user: Principal, key: str, services: Registry) -> bool:
    async with services.get(Database).unit_of_work() as session:
        try:
            await services.get(ChatService).get(session, user, key)
        except RoomNotFound:
            return False
    return True


async def _since_they_came(user: Principal, key: str, services: Registry) -> Position | None:
    async with services.get(Database).unit_of_work() as session:
        room = await services.get(ChatService).get(session, user, key)
        if room.public:
            return None
        epoch = await services.get(ChatTable).epoch(session, room.id)
    return Position(epoch, room.since_seq)


CHAT = Namespace(
    name="chat",
    events={"chat": ChatMessage},
    may_see=_may_enter,
    begins=_since_they_came,
    from_table=True,
)
"""``chat:ROOM``: what is said in a room. Offsets are the messages' `seq`."""

PRESENCE = Namespace(
    name="presence",
    events={"user_joined": UserJoined, "user_left": UserLeft},
    may_see=_may_enter,
    history=None,
)
"""``presence:ROOM``: who comes into a room and who leaves it, told once to those who are there."""


class ChatTable:
    """The history of `CHAT`; see `tasuki.realtime.feed.Table`.

    Args:
        epoch: Returns the database's.
    """

    def __init__(
        self,
        *,
        database: Database,
        epoch: Callable[[Session], Awaitable[str]],
        repository: ChatRepository | None = None,
    ) -> None:
        self._database = database
        self._epoch = epoch
        self._chat = repository or ChatRepository()

    async def epoch(self, session: Session, room_id: UUID) -> str:
        """Return a room's epoch: another room may have had its name, and counted alike."""
        return f"{await self._epoch(session)}-{room_id.hex[-12:]}"

    async def history(self, key: str, since: Position | None, *, most: int) -> Slice:
        """See `Table.history`. A room that has ended has no position to go on from."""
        async with self._database.unit_of_work() as session:
            found = await self._chat.newest(session, key)
            if found is None:
                return Slice(Position("none", 0), [], is_whole=since is None)
            room_id, newest = found
            epoch = await self.epoch(session, room_id)
            here = Position(epoch, newest)
            if since is None:
                return Slice(here, [], is_whole=True)
            if since.epoch != epoch or since.offset > newest:
                return Slice(here, [], is_whole=False)
            said = await self._chat.messages_after(session, room_id, since.offset, limit=most)
        publications = [_publication(one, key, epoch) for one in said]
        reached = publications[-1].position if publications else None
        return Slice(reached or since, publications, is_whole=True)


def _publication(said: Message, room: str, epoch: str) -> Publication:
    return Publication(
        channel=CHAT.channel(room),
        type="chat",
        data=dump(ChatMessage.of(said, room).model_dump(mode="json")),
        at=rfc3339(said.created_at),
        position=Position(epoch, said.seq),
    )
