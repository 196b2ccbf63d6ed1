"""The table of batches: one row counts the tasks of one."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Index, Integer, LargeBinary, Text, Uuid, func, text
from sqlalchemy.orm import Mapped, mapped_column

from tasuki.core.database import Base

_When = DateTime(timezone=True)


class BatchRow(Base):
    """How many tasks of a batch are where; `counting` changes it together with the tasks."""

    __tablename__ = "batches"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    owner_id: Mapped[int | None] = mapped_column(BigInteger)
    name: Mapped[str] = mapped_column(Text)
    unit: Mapped[str] = mapped_column(Text, server_default="tasks")
    total: Mapped[int] = mapped_column(Integer)
    queued: Mapped[int] = mapped_column(Integer, server_default="0")
    running: Mapped[int] = mapped_column(Integer, server_default="0")
    succeeded: Mapped[int] = mapped_column(Integer, server_default="0")
    failed: Mapped[int] = mapped_column(Integer, server_default="0")
    cancelled: Mapped[int] = mapped_column(Integer, server_default="0")
    version: Mapped[int] = mapped_column(BigInteger, server_default="1")
    on_complete_id: Mapped[UUID | None] = mapped_column(Uuid)
    idempotency_key: Mapped[str | None] = mapped_column(Text)
    args_hash: Mapped[bytes] = mapped_column(LargeBinary)
    cancel_requested_at: Mapped[datetime | None] = mapped_column(_When)
    created_at: Mapped[datetime] = mapped_column(_When, server_default=func.now())
    finished_at: Mapped[datetime | None] = mapped_column(_When)
    purge_at: Mapped[datetime | None] = mapped_column(_When)

    __table_args__ = (
        Index(
            "batches_idempotency",
            "owner_id",
            "name",
            "idempotency_key",
            unique=True,
            postgresql_where=text("idempotency_key IS NOT NULL"),
            postgresql_nulls_not_distinct=True,
        ),
        Index("batches_purge", "purge_at", postgresql_where=text("purge_at IS NOT NULL")),
        {"postgresql_with": {"fillfactor": "50"}},
    )
