"""What the activity engine hands out."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

DayCount = tuple[date, str, int]
"""A calendar day, a kind, and how often it was recorded on that day."""

ActivityTuple = tuple[int, str, datetime, str]
"""User id, kind, moment and data as JSON text: a row on its way into the table by COPY."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Activity:
    """One thing that one user did."""

    id: int
    user_id: int
    kind: str
    at: datetime
    data: dict[str, Any]
