"""The table of schedules: how far each is, and whether it is on."""

from datetime import datetime

from sqlalchemy import Boolean, DateTime, Text, func, true
from sqlalchemy.orm import Mapped, mapped_column

from tasuki.core.database import Base

_When = DateTime(timezone=True)


class ScheduleRow(Base):
    """What must outlive the processes of one schedule; the rest is declared in code."""

    __tablename__ = "schedules"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    is_enabled: Mapped[bool] = mapped_column(Boolean, server_default=true())
    last_slot: Mapped[datetime] = mapped_column(_When)
    last_task_id: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(_When, server_default=func.now())
