"""The tables of those who look on: living workers, and what happened, counted for good."""

from datetime import datetime

from sqlalchemy import BigInteger, Column, DateTime, Double, Integer, Table, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from tasuki.core.database import Base

_When = DateTime(timezone=True)


class WorkerRow(Base):
    """A worker process, for as long as it says that it lives."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    lane: Mapped[str] = mapped_column(Text)
    host: Mapped[str] = mapped_column(Text)
    pid: Mapped[int] = mapped_column(BigInteger)
    concurrency: Mapped[int] = mapped_column(Integer)
    started_at: Mapped[datetime] = mapped_column(_When, server_default=func.now())
    seen_at: Mapped[datetime] = mapped_column(_When, server_default=func.now())


class TaskCountRow(Base):
    """How often something happened to tasks of a name; it only ever grows.

    ``what`` is a terminal state, ``lease_expired``, ``wait`` and ``run`` (how many took up to
    ``bound`` seconds and longer than the bound below) or ``wait_sum`` and ``run_sum``, seconds.
    """

    __tablename__ = "task_counts"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    what: Mapped[str] = mapped_column(Text, primary_key=True)
    bound: Mapped[float] = mapped_column(Double, primary_key=True)
    value: Mapped[float] = mapped_column(Double)


UNCOUNTED = Table(
    "task_uncounted",
    Base.metadata,
    Column("name", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("wait_s", Double),
    Column("run_s", Double),
)
"""What a trigger on ``tasks`` noted and nobody counted yet; it has no key, and needs none."""
