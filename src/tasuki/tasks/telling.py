"""Telling the owner of a task by mail that it has ended: what is wished, and who does it.

Mail stands above tasks, so that wiring hands the one who writes in.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import Field

from tasuki.core.database import Session
from tasuki.tasks.declare import Task
from tasuki.tasks.records import TaskHandle
from tasuki.web.principal import Principal

MAIL_ME: Any = Field(
    default=False,
    description="Write to your own, verified address when it has succeeded or failed.",
)

MAIL_ME_OF_ALL: Any = Field(
    default=False,
    description="Write to your own, verified address once, when all of it has ended.",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tidings:
    """How an owner is told.

    Attributes:
        template: What they are told when the task has succeeded; otherwise they are told why not.
            Of a batch they are told how many did.
        values: What the template needs besides what all are given.
        link_base: Where they reach this system, e.g. ``https://tasks.example.org``.
        language: ``en`` or ``ja``.
    """

    template: str
    values: Mapping[str, str] = field(default_factory=dict)
    link_base: str
    language: str


class Teller(Protocol):
    """Has owners told by mail; mail does."""

    async def enqueue(
        self,
        session: Session,
        user: Principal,
        task: Task[..., Any],
        args: dict[str, Any],
        tidings: Tidings,
    ) -> TaskHandle:
        """Order a task of a user together with the mail about its end.

        Raises:
            ValidationFailed: No address of theirs is verified; or as `TaskService.enqueue`.
            RateLimited: They have written, or were written to, often enough.
            Unavailable: No mail system is set up.
            IdempotencyConflict, TaskAlreadyRunning: As `TaskService.enqueue`.
        """
        ...

    async def about_batch(
        self, session: Session, user: Principal, tidings: Tidings
    ) -> tuple[Task[..., Any], dict[str, Any]]:
        """Return the task that is to follow a batch of a user, and tells how it ended.

        Raises:
            ValidationFailed, RateLimited, Unavailable: As `enqueue`.
        """
        ...
