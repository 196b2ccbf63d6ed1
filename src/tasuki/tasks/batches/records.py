"""A batch as people and programs see it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchHandle:
    """What the order of a batch gives back.

    Attributes:
        is_new: False when an earlier order with the same idempotency key was found instead.
    """

    id: UUID
    is_new: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchRecord:
    """One batch and where its tasks are; the five numbers add up to ``total``.

    Attributes:
        name: The task that each of them is.
        unit: What is counted: ``tasks``, or what whoever ordered it counts instead.
        queued: Those that wait: scheduled, queued, retrying.
        running: Those a worker holds: running, cancelling.
        failed: Those that ended badly: failed, timed_out, crashed, expired.
        version: Counts the changes of this record; a higher one is newer.
        on_complete_id: The task that begins when all have ended.
    """

    id: UUID
    owner_id: int | None
    name: str
    unit: str
    total: int
    queued: int
    running: int
    succeeded: int
    failed: int
    cancelled: int
    version: int
    on_complete_id: UUID | None
    cancel_requested_at: datetime | None
    created_at: datetime
    finished_at: datetime | None

    @property
    def progress(self) -> float:
        """Return which part of the tasks has ended, 0 to 1."""
        return (self.succeeded + self.failed + self.cancelled) / self.total
