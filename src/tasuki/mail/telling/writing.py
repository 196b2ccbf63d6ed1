"""Decides what is written about tasks that have ended: which template, what in it, once."""

from collections.abc import Mapping
from uuid import UUID

from tasuki.core.database import Session
from tasuki.core.errors import NotFound
from tasuki.mail.service import MailService
from tasuki.mail.templates import Templates
from tasuki.tasks import TaskService
from tasuki.tasks.batches import BatchService
from tasuki.tasks.batches.records import BatchRecord
from tasuki.tasks.errors import IdempotencyConflict, TaskNotFound
from tasuki.tasks.records import TaskRecord
from tasuki.tasks.states import State

_KEYS = "tell:"  # how the idempotency keys of these mails begin
_FAILED = "task_failed"


class EndMails:
    """Orders mails about tasks that have ended, each call within the caller's transaction."""

    def __init__(
        self,
        *,
        tasks: TaskService,
        batches: BatchService,
        mails: MailService,
        templates: Templates,
    ) -> None:
        self._tasks = tasks
        self._batches = batches
        self._mails = mails
        self._templates = templates

    async def order(
        self,
        session: Session,
        task_id: UUID,
        *,
        owner_id: int | None,
        to: str,
        template: str,
        link_base: str,
        values: Mapping[str, str],
    ) -> UUID | None:
        """Order the mail about a task; once for each task, however often it is asked for.

        Args:
            owner_id: Only if the task is theirs; none: whosever it is.
            template: For a task that has succeeded.
            values: What the template needs, but for the link.

        Returns:
            The mail; none where there is nothing to tell: the task was cancelled, which its
            owner has done or seen, or is deleted, or has not ended; or it was told already.

        Raises:
            ValidationFailed, TemplateFailed: The template is no good.
            Unavailable: No mail system is set up.
        """
        record = await self._ended(session, task_id, owner_id=owner_id)
        if record is None or record.state is State.CANCELLED:
            return None
        if record.state is not State.SUCCEEDED:
            template = _FAILED
        link = f"{link_base.rstrip('/')}/tasks/{task_id}"
        told = {**_told(record), **values, "link": link}
        return await self._write(session, task_id, record.owner_id, to, template, told)

    async def order_about_batch(
        self,
        session: Session,
        batch_id: UUID,
        *,
        owner_id: int | None,
        to: str,
        template: str,
        link_base: str,
        values: Mapping[str, str],
    ) -> UUID | None:
        """Order the mail about a batch; arguments, result and errors are those of `order`."""
        try:
            record = await self._batches.get(session, batch_id, owner_id=owner_id)
        except NotFound:
            return None
        if record.finished_at is None or record.cancel_requested_at is not None:
            return None
        link = f"{link_base.rstrip('/')}/batches/{batch_id}"
        told = {**_told_of_all(record), **values, "link": link}
        return await self._write(session, batch_id, record.owner_id, to, template, told)

    async def _write(
        self,
        session: Session,
        about: UUID,
        owner_id: int | None,
        to: str,
        template: str,
        told: Mapping[str, str | int],
    ) -> UUID | None:
        words = self._templates.render(template, told)
        try:
            mail = await self._mails.order(
                session,
                to=to,
                subject=words.subject or "",
                html=words.html,
                text=words.text,
                owner_id=owner_id,
                idempotency_key=f"{_KEYS}{about}",
            )
        except IdempotencyConflict:  # told before, in other words: the template has changed since
            return None
        return mail.id

    async def _ended(
        self, session: Session, task_id: UUID, *, owner_id: int | None
    ) -> TaskRecord | None:
        try:
            record = await self._tasks.get(session, task_id, owner_id=owner_id)
        except TaskNotFound:
            return None
        return record if record.state.is_terminal else None


def _told(record: TaskRecord) -> dict[str, str]:
    """Return what a template is given about a task; the reason is as its owner sees it anyway."""
    return {
        "task": record.name,
        "state": record.state.replace("_", " "),
        "reason": (record.error or {}).get("message", ""),
    }


def _told_of_all(record: BatchRecord) -> dict[str, str | int]:
    """Return what a template is given about a batch."""
    return {
        "task": record.name,
        "total": record.total,
        "succeeded": record.succeeded,
        "failed": record.failed,
        "cancelled": record.cancelled,
    }
