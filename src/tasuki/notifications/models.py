"""What people were told: a row for each notification, and who has read those that go to all."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, ForeignKey, Index, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from tasuki.core.database import Base

_When = DateTime(timezone=True)


class NotificationRow(Base):
    """One notification. Without a user it goes to everybody."""

    __tablename__ = "notifications"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[int | None] = mapped_column(BigInteger)
    notification_type: Mapped[str] = mapped_column(Text)
    title: Mapped[str] = mapped_column(Text)
    message: Mapped[str] = mapped_column(Text)
    data: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    created_at: Mapped[datetime] = mapped_column(_When, server_default=func.now())
    read_at: Mapped[datetime | None] = mapped_column(_When)

    __table_args__ = (
        Index("notifications_of_user", "user_id", text("created_at DESC"), text("id DESC")),
        Index("notifications_unread", "user_id", postgresql_where=text("read_at IS NULL")),
        Index("notifications_created", "created_at"),
    )


class ReadRow(Base):
    """A user has read a notification that went to everybody."""

    __tablename__ = "notification_reads"

    user_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    notification_id: Mapped[UUID] = mapped_column(
        ForeignKey("notifications.id", ondelete="CASCADE"), primary_key=True
    )
