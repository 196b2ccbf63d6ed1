"""The JSON of rooms, as HTTP and sockets show and take it."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from tasuki.chat.records import MOST_NONCE, MOST_TEXT, ROOM_NAME, Message

_MAX_ID = 2**63 - 1  # PostgreSQL's bigint


class RoomIn(BaseModel):
    """A new room."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(
        pattern=ROOM_NAME, description="1 to 64 letters of a to z, digits, `.`, `_`, `-`."
    )
    public: bool = Field(
        default=True, description="Open to all who are signed in; if not, to its members alone."
    )


class RoomOut(BaseModel):
    """A room."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    public: bool
    created_by: int = Field(description="Who made it.")
    created_at: datetime
    seq: int = Field(description="That of its last message.")
    is_member: bool = Field(description="Whether you belong to it.")


class MemberIn(BaseModel):
    """Somebody who is to belong to a room."""

    model_config = ConfigDict(extra="forbid")

    user_id: int = Field(ge=1, le=_MAX_ID)


class MemberOut(BaseModel):
    """Somebody who belongs to a room."""

    model_config = ConfigDict(from_attributes=True)

    user_id: int
    username: str | None = Field(description="Null until they were in the room themselves.")
    joined_at: datetime


class ChatMessage(BaseModel):
    """Somebody said something in a room."""

    id: UUID = Field(description="The message's own, wherever it is shown.")
    seq: int = Field(description="Counts from 1 within the room, without a hole.")
    user: str = Field(description="The username of who said it, as it was then.")
    user_id: int = Field(description="Who said it.")
    message: str = Field(description="What they said.")
    timestamp: datetime = Field(description="When; never before that of the message before.")
    room: str = Field(description="The room's name.")
    nonce: str | None = Field(
        default=None,
        exclude_if=lambda nonce: nonce is None,
        description="The sender's own word for it; absent without one.",
    )

    @classmethod
    def of(cls, said: Message, room: str) -> "ChatMessage":
        """Return a message as everybody sees it."""
        return cls(
            id=said.id,
            seq=said.seq,
            user=said.username,
            user_id=said.user_id,
            message=said.message,
            timestamp=said.created_at,
            room=room,
            nonce=said.nonce,
        )


class UserJoined(BaseModel):
    """Somebody came into a room who was not there, by any socket."""

    user: str = Field(description="Their username.")
    user_id: int = Field(description="Who it is.")
    message: str = Field(description="The same in a sentence.")
    timestamp: datetime = Field(description="When.")
    room: str = Field(description="The room's name.")


class UserLeft(UserJoined):
    """Somebody has had no socket in a room for some seconds."""


class ChatIn(BaseModel):
    """What a socket takes."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["chat"]
    message: str = Field(min_length=1, max_length=MOST_TEXT)
    nonce: str | None = Field(
        default=None,
        min_length=1,
        max_length=MOST_NONCE,
        description="Your own word for it: sent again with the same, it counts once.",
    )

    @field_validator("message")
    @classmethod
    def _says_something(cls, message: str) -> str:
        if not message.strip():
            msg = "must have more than white space"
            raise PydanticCustomError("blank", msg)
        return message
