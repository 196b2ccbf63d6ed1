"""What was caught."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, kw_only=True, slots=True)
class CaughtMail:
    """A mail as a list shows it.

    Attributes:
        sender: Whom the envelope names, as is the case for ``recipients``.
        size_bytes: Of the whole message.
    """

    id: UUID
    sender: str
    recipients: list[str]
    subject: str
    size_bytes: int
    received_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Attachment:
    """A file in a mail."""

    name: str
    media_type: str
    size_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Letter:
    """What is in a mail, decoded.

    Attributes:
        headers: In their order, as often as they are there.
    """

    headers: list[tuple[str, str]]
    text: str | None
    html: str | None
    attachments: list[Attachment]
