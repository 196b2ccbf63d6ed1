"""Decides who may see a room, who belongs to it, and in which order things were said.

Knows nothing of HTTP and sockets, nor of accounts: a user is a `Principal`. An admin is a user
like all others here, but that one who belongs to a room may send others away.
"""

from collections.abc import Sequence
from contextlib import suppress

from tasuki.chat.errors import RoomExists, RoomNotFound, TooManyRooms
from tasuki.chat.records import Member, Message, Room
from tasuki.chat.repository import ChatRepository
from tasuki.chat.settings import ChatSettings
from tasuki.core.database import Session, after_commit
from tasuki.core.errors import Forbidden, NotFound
from tasuki.core.jsontext import clean
from tasuki.core.notices import Notices
from tasuki.web.principal import Principal


class ChatService:
    """Rooms, each call within the caller's transaction.

    A room is public, and open to everybody who is signed in; or private, and there only for its
    members, who see what was said since they came. Nobody else can find out that it is there,
    but that its name is taken.
    """

    def __init__(
        self,
        *,
        notices: Notices,
        settings: ChatSettings,
        repository: ChatRepository | None = None,
    ) -> None:
        self._notices = notices
        self._settings = settings
        self._chat = repository or ChatRepository()

    async def create(
        self, session: Session, user: Principal, name: str, *, public: bool = True
    ) -> Room:
        """Make a room; who makes it belongs to it.

        Raises:
            RoomExists: The name is taken.
            TooManyRooms: The user has made enough of them.
        """
        if await self._chat.count_rooms(session, user.id) >= self._settings.rooms_per_user:
            raise TooManyRooms(self._settings.rooms_per_user)
        room_id = await self._chat.add_room(session, name, public=public, created_by=user.id)
        if room_id is None:
            raise RoomExists(name)
        await self._chat.add_member(session, room_id, user.id, username=user.username, since_seq=0)
        return await self.get(session, user, name)

    async def enter(self, session: Session, user: Principal, name: str) -> Room:
        """Return a room that a user comes to; a name that nobody knows becomes a public room.

        Raises:
            RoomNotFound: It is private, and not theirs.
            TooManyRooms: It would be new, and the user has made enough of them.
        """
        if await self._chat.newest(session, name) is None:
            with suppress(RoomExists):  # since a moment ago
                return await self.create(session, user, name)
        room = await self.get(session, user, name)
        if room.is_member:
            await self._chat.name_member(session, room.id, user.id, user.username)
        return room

    async def get(self, session: Session, user: Principal, name: str) -> Room:
        """Return a room.

        Raises:
            RoomNotFound: There is none, or it is private and not theirs.
        """
        return await self._find(session, user, name)

    async def rooms(
        self, session: Session, user: Principal, *, after: str | None = None, limit: int = 50
    ) -> list[Room]:
        """Return the public rooms and the user's own, by name.

        Args:
            after: Only those whose names come after this one.
        """
        return await self._chat.rooms(session, user_id=user.id, after=after, limit=limit)

    async def members(
        self, session: Session, user: Principal, name: str, *, after: int = 0, limit: int = 50
    ) -> list[Member]:
        """Return who belongs to a room, by number.

        Raises:
            RoomNotFound: As `get`.
        """
        room = await self.get(session, user, name)
        return await self._chat.members(session, room.id, after=after, limit=limit)

    async def add_member(
        self, session: Session, user: Principal, name: str, user_id: int
    ) -> tuple[Member, bool]:
        """Let somebody belong to a room, who sees of a private one what is said from now on.

        Whether there is such a user is neither asked nor told. Their name is known once they come.

        Returns:
            The member, and whether they are new.

        Raises:
            RoomNotFound: As `get`.
            Forbidden: The room is public, and who does not belong to it adds somebody else.
        """
        room = await self._find(session, user, name, hold=True)
        if not room.is_member and user_id != user.id:
            raise Forbidden("Only who belongs to a room may add others; add yourself first.")
        is_new = await self._chat.add_member(
            session,
            room.id,
            user_id,
            username=user.username if user_id == user.id else None,
            since_seq=room.seq,
        )
        return await self._chat.member(session, room.id, user_id), is_new

    async def remove_member(
        self, session: Session, user: Principal, name: str, user_id: int
    ) -> None:
        """Let somebody belong to a room no longer; of a private one they see nothing any more.

        Everybody may leave. Others are sent away by who made the room, or by an admin, as long
        as these belong to it. With its last member a private room ends, and all that was said
        in it: nobody could ever read it again. A public room stays.

        Raises:
            RoomNotFound: As `get`.
            Forbidden: The user may not send others away.
            NotFound: They are no member.
        """
        room = await self._find(session, user, name, hold=True)
        may_others = room.is_member and (user.is_admin or user.id == room.created_by)
        if user_id != user.id and not may_others:
            raise Forbidden("Only who made a room, or an admin in it, may send others away.")
        if not await self._chat.remove_member(session, room.id, user_id):
            raise NotFound(f"User {user_id} is no member of the room.")
        if not room.public and not await self._chat.has_members(session, room.id):
            await self._chat.remove_room(session, room.id)
        rights = [f"rights:{kind}:{room.name}" for kind in ("chat", "presence")]
        after_commit(session, lambda: self._notices.send(*rights))

    async def send(
        self, session: Session, user: Principal, name: str, text: str, *, nonce: str | None = None
    ) -> tuple[Message, bool]:
        """Say something in a room.

        Args:
            text: 1 to `MOST_TEXT` characters.
            nonce: The sender's own word for it, up to `MOST_NONCE` characters: said again under
                the same word in the same room, it is the first message, whatever the text.

        Returns:
            The message, and whether it is new.

        Raises:
            RoomNotFound: As `get`.
        """
        # Held from before the number is taken until the commit: so there are no holes, and
        # whoever reads up to a number has all before it.
        room = await self._find(session, user, name, hold=True)
        if nonce is not None:
            said = await self._chat.message_of(session, room.id, user.id, clean(nonce))
            if said is not None:
                return said, False
        message = await self._chat.add_message(
            session,
            room.id,
            user_id=user.id,
            username=user.username,
            message=clean(text),
            nonce=clean(nonce),
        )
        after_commit(session, lambda: self._notices.send(f"chat:{room.name}"))
        return message, True

    async def messages(
        self,
        session: Session,
        user: Principal,
        name: str,
        *,
        before: int | None = None,
        limit: int = 50,
    ) -> Sequence[Message]:
        """Return what was said in a room, the newest first.

        Args:
            before: Only what was said before the message with this `seq`.

        Raises:
            RoomNotFound: As `get`.
        """
        room = await self.get(session, user, name)
        return await self._chat.messages_before(session, room, before=before, limit=limit)

    async def _find(
        self, session: Session, user: Principal, name: str, *, hold: bool = False
    ) -> Room:
        room = await self._chat.find_room(session, name, user_id=user.id, hold=hold)
        if room is None:
            raise RoomNotFound(name)
        return room
