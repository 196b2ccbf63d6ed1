"""What is to be published once the broker takes it."""

from sqlalchemy import BigInteger, Identity, Text
from sqlalchemy.orm import Mapped, mapped_column

from tasuki.core.database import Base


class OutboxRow(Base):
    """One publication of a committed transaction."""

    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    channel: Mapped[str] = mapped_column(Text)
    type: Mapped[str] = mapped_column(Text)
    data: Mapped[str] = mapped_column(Text)
    at: Mapped[str] = mapped_column(Text)
    key: Mapped[str | None] = mapped_column(Text)
