"""What did not succeed, put together for people."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, kw_only=True, slots=True)
class FailureGroup:
    """Tasks of one name that ended alike; see `FailureGroupOut`."""

    name: str
    state: str
    error_type: str | None
    count: int
    last_id: UUID
    last_message: str | None
    last_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Failures:
    """All groups.

    Attributes:
        total: Tasks of all groups, also of those that are left out of `items`.
        is_more: There are older ones that were not looked at.
    """

    items: list[FailureGroup]
    total: int
    is_more: bool
