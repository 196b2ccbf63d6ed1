"""The sockets of rooms: say something, hear the others, and who comes and goes."""

from collections.abc import Mapping
from typing import Any

from tasuki.chat.channels import CHAT, PRESENCE
from tasuki.chat.presence import Presence
from tasuki.chat.records import Room, is_room_name
from tasuki.chat.schemas import ChatIn, ChatMessage
from tasuki.chat.service import ChatService
from tasuki.core.database import Database
from tasuki.core.errors import NotFound
from tasuki.core.registry import Registry
from tasuki.realtime.messages import Ping, pong, read_message
from tasuki.realtime.sockets import SocketSession
from tasuki.web.principal import Principal


class ChatSession:
    """One user in one room by one socket; see `SocketSession`."""

    types = frozenset(CHAT.events) | frozenset(PRESENCE.events)

    def __init__(self, user: Principal, room: Room, services: Registry) -> None:
        self.channels = (CHAT.channel(room.name), PRESENCE.channel(room.name))
        self._user = user
        self._room = room
        self._chat = services.get(ChatService)
        self._database = services.get(Database)
        self._presence = services.get(Presence)

    async def entered(self) -> None:
        """See `SocketSession.entered`."""
        await self._presence.enter(self._room, self._user)

    async def received(self, message: dict[str, Any]) -> dict[str, Any] | None:
        """See `SocketSession.received`; what is new comes back by the channel, as to all."""
        if message.get("type") == "ping":
            read_message(Ping, message)
            return pong()
        wish = read_message(ChatIn, message)
        async with self._database.unit_of_work() as session:
            said, is_new = await self._chat.send(
                session, self._user, self._room.name, wish.message, nonce=wish.nonce
            )
        if is_new:
            return None
        first = ChatMessage.of(said, self._room.name).model_dump(mode="json")
        return {"type": "chat", **first}

    async def left(self) -> None:
        """See `SocketSession.left`."""
        await self._presence.leave(self._room, self._user)


async def open_room(
    user: Principal, where: Mapping[str, Any], services: Registry
) -> SocketSession:
    """Open a socket in a room; a name that nobody knows becomes a public one.

    Raises:
        RoomNotFound: It is private and not theirs.
        NotFound: No room can have this name.
        TooManyRooms: It would be new, and the user has made enough of them.
    """
    name = str(where["room_name"])
    if not is_room_name(name):
        raise NotFound("A room's name is 1 to 64 of the characters A-Z a-z 0-9 . _ and -.")
    async with services.get(Database).unit_of_work() as session:
        room = await services.get(ChatService).enter(session, user, name)
    return ChatSession(user, room, services)
