"""The tables of background work. Their comments are in the migration and in tasks.md's words."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from tasuki.core.database import Base

_When = DateTime(timezone=True)
_IS_WAITING = text("state IN ('scheduled', 'queued', 'retrying')")
_IS_UNSUCCESSFUL = text("state IN ('failed', 'crashed', 'timed_out', 'cancelled', 'expired')")
_IS_HELD = text("state IN ('running', 'cancelling')")


class TaskRow(Base):
    """One piece of background work, from the moment it was accepted until retention ends."""

    __tablename__ = "tasks"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    owner_id: Mapped[int | None] = mapped_column(BigInteger)
    name: Mapped[str] = mapped_column(Text)
    queue: Mapped[str] = mapped_column(Text)
    lane: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    args: Mapped[dict[str, Any]] = mapped_column(JSONB)
    args_hash: Mapped[bytes] = mapped_column(LargeBinary)
    priority: Mapped[int] = mapped_column(SmallInteger)
    available_at: Mapped[datetime] = mapped_column(_When)
    expires_at: Mapped[datetime | None] = mapped_column(_When)
    timeout_s: Mapped[float | None] = mapped_column(Double)
    attempt: Mapped[int] = mapped_column(Integer, server_default="0")
    max_attempts: Mapped[int] = mapped_column(Integer)
    crash_count: Mapped[int] = mapped_column(Integer, server_default="0")
    max_crashes: Mapped[int] = mapped_column(Integer)
    lease_owner: Mapped[str | None] = mapped_column(Text)
    lease_token: Mapped[UUID | None] = mapped_column(Uuid)
    lease_until: Mapped[datetime | None] = mapped_column(_When)
    cancel_requested_at: Mapped[datetime | None] = mapped_column(_When)
    progress: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    result: Mapped[Any] = mapped_column(JSONB(none_as_null=True), nullable=True)
    artifact_id: Mapped[UUID | None] = mapped_column(ForeignKey("artifacts.id"))
    error: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    idempotency_key: Mapped[str | None] = mapped_column(Text)
    unique_key: Mapped[str | None] = mapped_column(Text)
    batch_id: Mapped[UUID | None] = mapped_column(Uuid)
    parent_id: Mapped[UUID | None] = mapped_column(Uuid)
    replay_of: Mapped[UUID | None] = mapped_column(Uuid)
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    trace_context: Mapped[dict[str, str] | None] = mapped_column(JSONB(none_as_null=True))
    event_seq: Mapped[int] = mapped_column(BigInteger, server_default="0")
    rung_at: Mapped[datetime | None] = mapped_column(_When)
    rings: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    created_at: Mapped[datetime] = mapped_column(_When, server_default=func.now())
    queued_at: Mapped[datetime | None] = mapped_column(_When)
    started_at: Mapped[datetime | None] = mapped_column(_When)
    finished_at: Mapped[datetime | None] = mapped_column(_When)
    purge_at: Mapped[datetime | None] = mapped_column(_When)

    __table_args__ = (
        Index(
            "tasks_idempotency",
            "owner_id",
            "name",
            "idempotency_key",
            unique=True,
            postgresql_where=text("idempotency_key IS NOT NULL"),
            postgresql_nulls_not_distinct=True,
        ),
        Index(
            "tasks_unique_key",
            "name",
            "unique_key",
            unique=True,
            postgresql_where=text("unique_key IS NOT NULL AND finished_at IS NULL"),
        ),
        Index(
            "tasks_by_unique_key",
            "unique_key",
            text("id DESC"),
            postgresql_where=text("unique_key IS NOT NULL"),
        ),
        Index(
            "tasks_due",
            "queue",
            "lane",
            text("priority DESC"),
            "available_at",
            postgresql_where=_IS_WAITING,
        ),
        Index(
            "tasks_unrung",
            "available_at",
            postgresql_where=text(
                "rung_at IS NULL AND state IN ('scheduled', 'queued', 'retrying')"
            ),
        ),
        Index("tasks_held", "lease_until", postgresql_where=_IS_HELD),
        Index("tasks_expiring", "expires_at", postgresql_where=_IS_WAITING),
        Index("tasks_of_owner", "owner_id", text("id DESC")),
        Index("tasks_purge", "purge_at", postgresql_where=text("purge_at IS NOT NULL")),
        Index("tasks_finished", "finished_at", postgresql_where=text("finished_at IS NOT NULL")),
        Index("tasks_unsuccessful", "id", postgresql_where=_IS_UNSUCCESSFUL),
        Index("tasks_of_batch", "batch_id", "id", postgresql_where=text("batch_id IS NOT NULL")),
        Index("tasks_of_parent", "parent_id", postgresql_where=text("parent_id IS NOT NULL")),
        Index("tasks_replays", "replay_of", postgresql_where=text("replay_of IS NOT NULL")),
    )


class TaskEventRow(Base):
    """One thing that happened to a task; ``seq`` counts from 1 without a hole."""

    __tablename__ = "task_events"

    task_id: Mapped[UUID] = mapped_column(
        ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True
    )
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    type: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(_When, server_default=func.now())
    attempt: Mapped[int] = mapped_column(Integer)
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)


class ArtifactRow(Base):
    """A file that a task left; the bytes are in the artifact store under the same id."""

    __tablename__ = "artifacts"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    task_id: Mapped[UUID] = mapped_column(Uuid, index=True)
    name: Mapped[str] = mapped_column(Text)
    media_type: Mapped[str] = mapped_column(Text)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(_When, server_default=func.now())


class EpochRow(Base):
    """Names this database's history of events; positions from another history are not trusted."""

    __tablename__ = "event_epoch"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, server_default="1")
    epoch: Mapped[str] = mapped_column(Text)
