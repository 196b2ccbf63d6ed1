"""The tables of mail."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    Uuid,
    func,
    literal_column,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from tasuki.core.database import Base

_When = DateTime(timezone=True)


class MailRow(Base):
    """One message to one address. Those of a sending have their words in its row."""

    __tablename__ = "mails"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    owner_id: Mapped[int | None] = mapped_column(BigInteger)
    batch_id: Mapped[UUID | None] = mapped_column(Uuid)
    chunk: Mapped[int | None] = mapped_column(Integer)
    task_id: Mapped[UUID] = mapped_column(Uuid)
    recipient: Mapped[str] = mapped_column(Text)
    recipient_key: Mapped[str] = mapped_column(Text)
    subject: Mapped[str | None] = mapped_column(Text)
    html: Mapped[str | None] = mapped_column(Text)
    text: Mapped[str | None] = mapped_column(Text)
    if_unknown: Mapped[str] = mapped_column(Text)
    idempotency_key: Mapped[str | None] = mapped_column(Text)
    args_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    state: Mapped[str] = mapped_column(Text, server_default="queued")
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    token: Mapped[UUID | None] = mapped_column(Uuid)
    content_at: Mapped[datetime | None] = mapped_column(_When)
    due_at: Mapped[datetime] = mapped_column(_When, server_default=func.now())
    give_up_at: Mapped[datetime] = mapped_column(_When)
    answer: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(_When, server_default=func.now())
    ended_at: Mapped[datetime | None] = mapped_column(_When)
    purge_at: Mapped[datetime | None] = mapped_column(_When)

    __table_args__ = (
        Index("mails_of_owner", "owner_id", "id"),
        # One sending has more mails than a user writes in years.
        Index("mails_single", "id", postgresql_where=literal_column("batch_id IS NULL")),
        Index(
            "mails_single_of_owner",
            "owner_id",
            "id",
            postgresql_where=literal_column("batch_id IS NULL"),
        ),
        Index("mails_to", "recipient_key", "created_at"),
        Index(
            "mails_waiting",
            "batch_id",
            "chunk",
            "due_at",
            postgresql_where=literal_column("state IN ('queued', 'sending', 'deferred')"),
        ),
        Index(
            "mails_of_batch",
            "batch_id",
            "id",
            postgresql_where=literal_column("batch_id IS NOT NULL"),
        ),
        Index(
            "mails_idempotency",
            "owner_id",
            "idempotency_key",
            unique=True,
            postgresql_where=literal_column("idempotency_key IS NOT NULL"),
            postgresql_nulls_not_distinct=True,
        ),
        Index("mails_purge", "purge_at", postgresql_where=literal_column("purge_at IS NOT NULL")),
        {"postgresql_with": {"fillfactor": "70"}},
    )


class SendingRow(Base):
    """The same words to many; the batch of the same id counts its recipients."""

    __tablename__ = "mail_sendings"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    owner_id: Mapped[int | None] = mapped_column(BigInteger)
    subject: Mapped[str] = mapped_column(Text)
    html: Mapped[str] = mapped_column(Text)
    text: Mapped[str | None] = mapped_column(Text)
    link_base: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(_When, server_default=func.now())
    paused_at: Mapped[datetime | None] = mapped_column(_When)

    __table_args__ = (Index("mail_sendings_of_owner", "owner_id", "id"),)


class SuppressionRow(Base):
    """An address that is written to no more."""

    __tablename__ = "mail_suppressions"

    address_key: Mapped[str] = mapped_column(Text, primary_key=True)
    address: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    detail: Mapped[str] = mapped_column(Text, server_default="")
    created_at: Mapped[datetime] = mapped_column(_When, server_default=func.now())


class PaceRow(Base):
    """When the next message of a sending may go, in all processes together; one row."""

    __tablename__ = "mail_pace"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    next_at: Mapped[datetime] = mapped_column(_When, server_default=func.now())


class LinkKeyRow(Base):
    """What signs links where the settings have no key; one row."""

    __tablename__ = "mail_link_key"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    key: Mapped[str] = mapped_column(Text)


class VerificationRow(Base):
    """A link that proves somebody reads an address; one a user."""

    __tablename__ = "mail_verifications"

    user_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    address: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[datetime] = mapped_column(_When)


class CaughtMailRow(Base):
    """A message that the development inbox took instead of delivering it."""

    __tablename__ = "caught_mails"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    sender: Mapped[str] = mapped_column(Text)
    recipients: Mapped[list[str]] = mapped_column(ARRAY(Text))
    subject: Mapped[str] = mapped_column(Text)
    content: Mapped[bytes] = mapped_column(LargeBinary)
    received_at: Mapped[datetime] = mapped_column(_When, server_default=func.now())
