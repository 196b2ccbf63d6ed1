"""What people are told, and how it stands in an inbox."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from tasuki.core.errors import ValidationFailed
from tasuki.core.jsontext import clean, dump, why_not_kept

MOST_TYPE = 64
"""Characters of a notification's type."""
MOST_TITLE = 200
"""Characters of a title."""
MOST_MESSAGE = 4_000
"""Characters of a message."""
MOST_DATA_BYTES = 8_192
"""Bytes of the data as JSON text."""

_BREAK = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # joiners stay: emoji are made with them


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """What somebody is to be told.

    Attributes:
        notification_type: One word for programs, such as ``task``; 1 to 64 printable characters.
        title: One line for people, 1 to 200 characters.
        message: The rest, up to 4,000 characters.
        data: Details for programs; a JSON object of up to 8 KiB.
    """

    notification_type: str
    title: str
    message: str
    data: dict[str, Any] | None = None

    def checked(self) -> "Note":
        """Return it as it is kept; see `tasuki.core.jsontext` for what cannot be.

        Raises:
            ValidationFailed: Something of it is too long, or no text, or no JSON.
        """
        kind = self.notification_type
        if not (0 < len(kind) <= MOST_TYPE and kind.isprintable()):
            raise _invalid("notification_type", f"must be 1 to {MOST_TYPE} printable characters")
        if not (self.title.strip() and len(self.title) <= MOST_TITLE) or _BREAK.search(self.title):
            raise _invalid("title", f"must be one line of 1 to {MOST_TITLE} characters")
        if len(self.message) > MOST_MESSAGE:
            raise _invalid("message", f"must be at most {MOST_MESSAGE} characters")
        fault = why_not_kept(self.data, most_bytes=MOST_DATA_BYTES)
        if fault is not None:
            raise _invalid("data", fault)
        kept = clean([self.title, self.message, self.data])
        return Note(notification_type=kind, title=kept[0], message=kept[1], data=kept[2])

    def id_of(self, task_id: UUID, user_id: int) -> UUID:
        """Return the id of this note when a task tells it: the same for the same words.

        A UUIDv5 (RFC 9562) in the namespace that is the task's own id, so that a task which
        crashes and runs again is not heard twice.
        """
        words = [user_id, self.notification_type, self.title, self.message, self.data]
        return uuid5(task_id, dump(words))


@dataclass(frozen=True, kw_only=True, slots=True)
class Notification:
    """What one user was told, as their inbox shows it.

    Attributes:
        broadcast: Everybody was told it.
        read: This user has read it.
        created_at: When the transaction began that told it.
    """

    id: UUID
    notification_type: str
    title: str
    message: str
    data: dict[str, Any] | None
    created_at: datetime
    broadcast: bool
    read: bool


def _invalid(name: str, message: str) -> ValidationFailed:
    return ValidationFailed(f"{name}: {message}", errors=[{"loc": ["body", name], "msg": message}])
