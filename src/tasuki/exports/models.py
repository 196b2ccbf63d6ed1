"""The table of exports."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Index, Text, Uuid, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from tasuki.core.database import Base

_When = DateTime(timezone=True)


class ExportRow(Base):
    """One export: what was asked for, how far it is, and what the file must be.

    Attributes:
        sha256: Of a whole file; of one that was given up, of its first ``bytes``.
    """

    __tablename__ = "exports"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    owner_id: Mapped[int] = mapped_column(BigInteger)
    dataset: Mapped[str] = mapped_column(Text)
    format: Mapped[str] = mapped_column(Text)
    profile: Mapped[str] = mapped_column(Text)
    encoding: Mapped[str] = mapped_column(Text)
    asked: Mapped[dict[str, Any]] = mapped_column(JSONB)
    state: Mapped[str] = mapped_column(Text)
    rows: Mapped[int] = mapped_column(BigInteger, server_default="0")
    bytes: Mapped[int] = mapped_column(BigInteger, server_default="0")
    sha256: Mapped[str | None] = mapped_column(Text)
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(_When, server_default=func.now())
    seen_at: Mapped[datetime] = mapped_column(_When, server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(_When)

    __table_args__ = (
        Index("exports_of_owner", "owner_id", "id"),
        Index("exports_expiring", "expires_at"),
    )
