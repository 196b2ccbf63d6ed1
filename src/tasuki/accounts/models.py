"""The tables of accounts. Of a secret only its hash stands in any of them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Text,
    Uuid,
    func,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from tasuki.core.database import Base

_When = DateTime(timezone=True)


class UserRow(Base):
    """A person, or a program with an account of its own."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    username: Mapped[str] = mapped_column(Text)
    email: Mapped[str] = mapped_column(Text)
    email_verified_at: Mapped[datetime | None] = mapped_column(_When)
    name: Mapped[str] = mapped_column(Text, server_default="")
    role: Mapped[str] = mapped_column(Text, server_default="user")
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    password_hash: Mapped[str | None] = mapped_column(Text)
    disabled_at: Mapped[datetime | None] = mapped_column(_When)
    created_at: Mapped[datetime] = mapped_column(_When, server_default=func.now())

    __table_args__ = (
        CheckConstraint("role IN ('user', 'admin')", name="users_role"),
        Index("users_username", func.lower(username), unique=True),
    )


class SessionRow(Base):
    """A browser that is signed in."""

    __tablename__ = "sessions"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    created_at: Mapped[datetime] = mapped_column(_When, server_default=func.now())
    last_seen_at: Mapped[datetime] = mapped_column(_When, server_default=func.now(), index=True)
    expires_at: Mapped[datetime] = mapped_column(_When, index=True)
    address: Mapped[str | None] = mapped_column(Text)
    user_agent: Mapped[str | None] = mapped_column(Text)


class ApiTokenRow(Base):
    """A key that lets a program act as its user."""

    __tablename__ = "api_tokens"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(Text)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    created_at: Mapped[datetime] = mapped_column(_When, server_default=func.now())
    last_used_at: Mapped[datetime | None] = mapped_column(_When)


class TicketRow(Base):
    """Lets one request act as its user's session or token does."""

    __tablename__ = "tickets"

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="CASCADE"))
    credential: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[datetime] = mapped_column(_When)

    __table_args__ = (Index("tickets_expiring", "expires_at"),)


class LoginAttemptRow(Base):
    """Failed sign-ins of one account, one address or one pair of both, in a fixed window.

    The key is a hash: people type passwords into the name's field.
    """

    __tablename__ = "login_attempts"

    key: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    failures: Mapped[int] = mapped_column(Integer)
    ends_at: Mapped[datetime] = mapped_column(_When, index=True)
