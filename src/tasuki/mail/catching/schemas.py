"""Caught mails as JSON."""

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from tasuki.mail.catching.records import CaughtMail, Letter
from tasuki.mail.settings import MailSettings


class MailSystemOut(BaseModel):
    """What becomes of mails here."""

    configured: bool = Field(description="Whether there is a mail system; if not, mails fail.")
    caught: bool = Field(
        description="Whether mails are only caught, for admins to read, and never delivered."
    )

    @classmethod
    def of(cls, settings: MailSettings) -> Self:
        """Return what the settings say."""
        return cls(configured=settings.host is not None, caught=settings.caught)


class CaughtMailOut(BaseModel):
    """A mail that was caught and not delivered."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    sender: str = Field(description="Of the envelope.")
    recipients: list[str] = Field(description="Of the envelope.")
    subject: str
    size_bytes: int
    received_at: datetime


class AttachmentOut(BaseModel):
    """A file in a mail; its bytes are in the raw message."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    media_type: str
    size_bytes: int


class HeaderOut(BaseModel):
    """A header of a mail."""

    name: str
    value: str


class LetterOut(CaughtMailOut):
    """A caught mail with what is in it."""

    headers: list[HeaderOut]
    text: str | None
    html: str | None
    attachments: list[AttachmentOut]

    @classmethod
    def whole(cls, mail: CaughtMail, letter: Letter) -> Self:
        """Return a mail as it is shown alone."""
        return cls(
            **CaughtMailOut.model_validate(mail).model_dump(),
            headers=[HeaderOut(name=name, value=value) for name, value in letter.headers],
            text=letter.text,
            html=letter.html,
            attachments=[AttachmentOut.model_validate(one) for one in letter.attachments],
        )
