"""What the services of chat hand out: rooms, members, messages."""

import re
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

ROOM_NAME = r"^[A-Za-z0-9_.-]{1,64}$"
"""Names of rooms; each of them is a part of a channel's name as it is. Case matters."""
MOST_TEXT = 4_000
"""Characters of a message."""
MOST_NONCE = 64
"""Characters of a sender's own word for a message."""

_ROOM_NAME = re.compile(ROOM_NAME, re.ASCII)


def is_room_name(text: str) -> bool:
    """Whether a room may have this name."""
    return _ROOM_NAME.fullmatch(text) is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class Room:
    """A room, as one user sees it.

    Attributes:
        seq: That of its last message.
        since_seq: Messages after this one are for the user; all, in a public room.
        is_member: Whether the user belongs to it.
    """

    id: UUID
    name: str
    public: bool
    created_by: int
    created_at: datetime
    seq: int
    since_seq: int
    is_member: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """Somebody who belongs to a room.

    Attributes:
        username: None until they were in the room themselves.
    """

    user_id: int
    username: str | None
    joined_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """What somebody said.

    Attributes:
        seq: Counts from 1 within the room, without a hole.
        nonce: The sender's own word for it.
    """

    id: UUID
    seq: int
    user_id: int
    username: str
    message: str
    nonce: str | None
    created_at: datetime
