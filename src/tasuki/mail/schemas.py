"""The JSON of single mails."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from tasuki.mail.message import MAX_BODY, MAX_SUBJECT
from tasuki.mail.records import MailState

_MAX_ADDRESS = 320  # characters; the check of an address says the exact limits


class MailOrder(BaseModel):
    """A mail as the guide's first endpoint takes it."""

    model_config = ConfigDict(extra="forbid")

    to_email: str = Field(max_length=_MAX_ADDRESS, description="One address.")
    subject: str = Field(min_length=1, max_length=MAX_SUBJECT)
    content: str = Field(min_length=1, max_length=MAX_BODY, description="Plain text.")
    template: str | None = Field(
        default=None, max_length=100, description="A template that puts the content into a form."
    )


class HtmlMailOrder(BaseModel):
    """A mail as the guide's second endpoint takes it."""

    model_config = ConfigDict(extra="forbid")

    to_email: str = Field(max_length=_MAX_ADDRESS, description="One address.")
    subject: str = Field(min_length=1, max_length=MAX_SUBJECT)
    html_content: str = Field(min_length=1, max_length=MAX_BODY)
    text_content: str | None = Field(
        default=None,
        max_length=MAX_BODY,
        description="For those who read no HTML; made of it if it is not given.",
    )


class TemplateOut(BaseModel):
    """A template that may be named in an order."""

    name: str
    variables: list[str] = Field(
        description="What it may ask for. An order gives `subject` and `content`, no more."
    )
    problem: str | None = Field(description="What is wrong with it, if something is.")


class PreviewOrder(BaseModel):
    """Words to be put into the form of a template."""

    model_config = ConfigDict(extra="forbid")

    subject: str = Field(max_length=MAX_SUBJECT)
    content: str = Field(max_length=MAX_BODY, description="Plain text.")


class PreviewOut(BaseModel):
    """A mail as a template makes it."""

    subject: str
    html: str | None
    text: str | None


class MailAccepted(BaseModel):
    """A mail was ordered."""

    task_id: UUID
    status: Literal["queued"] = "queued"
    message: Literal["Email task queued"] = "Email task queued"
    mail_id: UUID = Field(description="At `/api/v1/mail/messages/{id}`.")


class MailOut(BaseModel):
    """One message to one address."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    owner_id: int | None
    batch_id: UUID | None = Field(description="The sending it belongs to, if it does.")
    task_id: UUID = Field(description="The task that sends it.")
    recipient: str
    subject: str
    state: MailState = Field(
        description="deferred: the mail system said later. suppressed: nobody writes to the "
        "address any more. unknown: it may have been taken; its answer was not heard."
    )
    attempts: int = Field(description="How often it was begun to be handed over.")
    answer: str | None = Field(description="What the mail system said last, or what went wrong.")
    due_at: datetime = Field(description="A deferred one is tried again then, or later.")
    give_up_at: datetime = Field(description="From then on it is not tried again.")
    created_at: datetime
    ended_at: datetime | None
