"""What mail hands out: messages, sendings, suppressions."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

MailState = Literal[
    "queued", "sending", "sent", "deferred", "failed", "suppressed", "unknown", "cancelled"
]
"""Where a message is.

``deferred``: the mail system said "later". ``suppressed``: nobody writes to the address any more.
``unknown``: the mail system may have it, and nobody heard its answer (RFC 1047).
"""

IfUnknown = Literal["again", "leave"]
"""What follows when nobody knows whether a message was taken: it is sent again, under the same
``Message-ID``, or left alone. The first may make a double, the second may lose one."""

Reason = Literal["rejected", "unsubscribed", "by_hand"]
"""Why an address is written to no more; who unsubscribed still gets what is not sent to many."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MailHandle:
    """What the order of a message gives back.

    Attributes:
        task_id: The task that sends it.
        is_new: False when an earlier order with the same idempotency key was found instead.
    """

    id: UUID
    task_id: UUID
    is_new: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class MailRecord:
    """One message to one address, as its owner sees it.

    Attributes:
        attempts: How often it was begun to be handed over.
        answer: What the mail system said last, or why it could not be asked.
        due_at: When a deferred one is tried again, at the earliest.
        give_up_at: From then on it is not tried again.
    """

    id: UUID
    owner_id: int | None
    batch_id: UUID | None
    task_id: UUID
    recipient: str
    subject: str
    state: MailState
    attempts: int
    answer: str | None
    due_at: datetime
    give_up_at: datetime
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """What a message says."""

    subject: str
    html: str | None
    text: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """A message that this process is about to hand over.

    Attributes:
        token: Who holds it; a write with another one changes nothing.
        attempts: With this one.
        is_last: Its time is over; another attempt will not follow.
    """

    id: UUID
    token: UUID
    recipient: str
    attempts: int
    if_unknown: IfUnknown
    is_last: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class MailEnd:
    """What became of an attempt.

    Attributes:
        pause_s: It is due again after so long.
        is_address_fault: Nobody is to write to the address any more.
    """

    id: UUID
    token: UUID
    state: MailState
    answer: str
    pause_s: float | None = None
    is_address_fault: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Sending:
    """The same words to many.

    Attributes:
        link_base: Where this system is reached by those who get a mail of it.
    """

    id: UUID
    owner_id: int | None
    words: Words
    link_base: str
    created_at: datetime
    paused_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipient:
    """One of those a sending goes to."""

    id: UUID
    recipient: str
    task_id: UUID
    state: MailState
    attempts: int
    answer: str | None
    ended_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Suppression:
    """An address that is written to no more."""

    address: str
    reason: Reason
    detail: str
    created_at: datetime
