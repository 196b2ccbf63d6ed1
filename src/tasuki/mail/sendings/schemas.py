"""The JSON of sendings."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from tasuki.mail.message import MAX_BODY, MAX_SUBJECT
from tasuki.mail.records import MailState, Recipient, Sending
from tasuki.tasks.batches.records import BatchRecord
from tasuki.tasks.batches.schemas import BatchOut

_MAX_ADDRESS = 320  # characters; the check of an address says the exact limits
_MOST = 100_000  # a setting says how many are allowed; this bounds what is read


class SendingOrder(BaseModel):
    """The same words to many."""

    model_config = ConfigDict(extra="forbid")

    email_list: list[str] = Field(min_length=1, max_length=_MOST)
    subject: str = Field(min_length=1, max_length=MAX_SUBJECT)
    html_content: str = Field(min_length=1, max_length=MAX_BODY)
    text_content: str | None = Field(
        default=None,
        max_length=MAX_BODY,
        description="For those who read no HTML; made of it if it is not given.",
    )
    skip_faulty: bool = Field(
        default=False,
        description="Leave out what is no address or stands there twice, instead of refusing all.",
    )


class ChunkOut(BaseModel):
    """Which task writes to whom."""

    email: str
    task_id: UUID = Field(description="The task of the chunk that the address is in.")


class SkippedOut(BaseModel):
    """Somebody who is not written to."""

    index: int = Field(description="The place in `email_list`.")
    email: str
    why: str


class SendingAccepted(BaseModel):
    """A sending was ordered."""

    batch_id: UUID = Field(description="At `/api/v1/batches/{id}`, which counts recipients.")
    total: int
    tasks: list[ChunkOut]
    skipped: list[SkippedOut] = Field(description="Those left out by `skip_faulty`.")


class SendingOut(BaseModel):
    """A sending, and how far it is."""

    id: UUID
    owner_id: int | None
    subject: str
    is_paused: bool
    created_at: datetime
    batch: BatchOut = Field(description="Its recipients, counted.")

    @classmethod
    def of(cls, sending: Sending, batch: BatchRecord) -> "SendingOut":
        """Show a sending."""
        return cls(
            id=sending.id,
            owner_id=sending.owner_id,
            subject=sending.words.subject,
            is_paused=sending.paused_at is not None,
            created_at=sending.created_at,
            batch=BatchOut.model_validate(batch),
        )


class RecipientOut(BaseModel):
    """One of those a sending goes to."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID = Field(description="The mail; at `/api/v1/mail/messages/{id}`.")
    recipient: str
    task_id: UUID
    state: MailState
    attempts: int
    answer: str | None
    ended_at: datetime | None

    @classmethod
    def of(cls, recipient: Recipient) -> "RecipientOut":
        """Show a recipient."""
        return cls.model_validate(recipient)
