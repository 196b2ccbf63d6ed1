"""Rooms, who belongs to them, what was said in them, and who is there."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, ForeignKey, Index, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from tasuki.core.database import Base

_When = DateTime(timezone=True)


class RoomRow(Base):
    """A room; ``seq`` is that of its last message."""

    __tablename__ = "chat_rooms"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text, unique=True)
    public: Mapped[bool]
    created_by: Mapped[int] = mapped_column(BigInteger)
    seq: Mapped[int] = mapped_column(BigInteger, server_default="0")
    created_at: Mapped[datetime] = mapped_column(_When, server_default=func.now())

    __table_args__ = (Index("chat_rooms_created_by", "created_by"),)


class MemberRow(Base):
    """Somebody who belongs to a room, and reads what came after ``since_seq``.

    Their name is known from when they first came themself.
    """

    __tablename__ = "chat_members"

    room_id: Mapped[UUID] = mapped_column(
        ForeignKey("chat_rooms.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    username: Mapped[str | None] = mapped_column(Text)
    since_seq: Mapped[int] = mapped_column(BigInteger)
    joined_at: Mapped[datetime] = mapped_column(_When, server_default=func.now())

    __table_args__ = (Index("chat_rooms_of_member", "user_id"),)


class MessageRow(Base):
    """A message. Its ``seq`` counts from 1 within the room, without a hole."""

    __tablename__ = "chat_messages"

    room_id: Mapped[UUID] = mapped_column(
        ForeignKey("chat_rooms.id", ondelete="CASCADE"), primary_key=True
    )
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    id: Mapped[UUID]
    user_id: Mapped[int] = mapped_column(BigInteger)
    username: Mapped[str] = mapped_column(Text)
    message: Mapped[str] = mapped_column(Text)
    nonce: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(_When, server_default=func.now())

    __table_args__ = (
        Index(
            "chat_messages_nonce",
            "room_id",
            "user_id",
            "nonce",
            unique=True,
            postgresql_where=text("nonce IS NOT NULL"),
        ),
    )


class NodeRow(Base):
    """A web process, which says from time to time that it lives."""

    __tablename__ = "chat_nodes"

    node: Mapped[UUID] = mapped_column(primary_key=True)
    seen_at: Mapped[datetime] = mapped_column(_When, server_default=func.now())


class PresenceRow(Base):
    """A user is in a room by way of a web process, or will have left it at ``leaving_at``."""

    __tablename__ = "chat_presence"

    room_id: Mapped[UUID] = mapped_column(
        ForeignKey("chat_rooms.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    node: Mapped[UUID] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(Text)
    leaving_at: Mapped[datetime | None] = mapped_column(_When)

    __table_args__ = (
        Index("chat_presence_of_node", "node"),
        Index(
            "chat_presence_leaving",
            "leaving_at",
            postgresql_where=text("leaving_at IS NOT NULL"),
        ),
    )
