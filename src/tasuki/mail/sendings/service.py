"""Decides who may send to many, and orders it: all or nothing, in one transaction."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from tasuki.core.database import Session, after_commit
from tasuki.core.errors import Conflict, Forbidden, NotFound, RateLimited, ValidationFailed
from tasuki.core.ids import new_id
from tasuki.core.jsontext import dump
from tasuki.core.notices import Notices
from tasuki.mail.addresses import address_key, check_address
from tasuki.mail.handing.statements import UNIT
from tasuki.mail.message import check_header, check_size
from tasuki.mail.records import MailState, Recipient, Sending, Words
from tasuki.mail.repository import MailRepository
from tasuki.mail.rights import need_mail_system
from tasuki.mail.sendings.repository import SendingRepository
from tasuki.mail.sendings.tasks import send_bulk
from tasuki.mail.settings import MailSettings
from tasuki.tasks import TaskService
from tasuki.tasks.batches import BatchService
from tasuki.tasks.service import batch_key, order_of
from tasuki.web.principal import Principal

SCOPE_BULK = "email:bulk"
_CHUNKS = 8  # at most: each takes a place in a worker while it works
_LEAST_OF_CHUNK = 100  # recipients
_PRIORITY = -10  # single mails come first
_MOST_FAULTS = 100  # told in one answer
_DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """A recipient that cannot be written to.

    Attributes:
        index: Its place in the list.
        why: It is no address, or it stands in the list twice.
    """

    index: int
    email: str
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SendingHandle:
    """What the order of a sending gives back.

    Attributes:
        tasks: Each recipient with the task of its chunk.
        is_new: False when an earlier order with the same idempotency key was found instead.
    """

    id: UUID
    tasks: list[tuple[str, UUID]]
    is_new: bool


class SendingService:
    """Orders sendings and answers questions about them, within the caller's transaction."""

    def __init__(
        self,
        *,
        tasks: TaskService,
        batches: BatchService,
        settings: MailSettings,
        notices: Notices,
        repository: SendingRepository | None = None,
        mails: MailRepository | None = None,
    ) -> None:
        self._tasks = tasks
        self._batches = batches
        self._settings = settings
        self._notices = notices
        self._sendings = repository or SendingRepository()
        self._mails = mails or MailRepository()

    def admit(self, user: Principal) -> None:
        """Check that a user may send to many.

        Raises:
            Forbidden: They may not.
        """
        if not user.has_scope(SCOPE_BULK):
            raise Forbidden(f"Sending to many needs the scope {SCOPE_BULK}.")

    async def check(self, recipients: Sequence[str]) -> tuple[list[str], list[Fault]]:
        """Return the addresses that can be written to, each once, and what is wrong with others.

        Raises:
            ValidationFailed: There are too many.
        """
        if len(recipients) > self._settings.bulk_most:
            raise _invalid(f"more than {self._settings.bulk_most} recipients")
        # 50 microseconds each: not on the loop.
        return await asyncio.to_thread(_checked, recipients)

    async def order(
        self,
        session: Session,
        recipients: Sequence[str],
        words: Words,
        *,
        owner_id: int,
        link_base: str,
        idempotency_key: str | None = None,
    ) -> SendingHandle:
        """Order the same words for many; who may do so was asked, and the list was checked.

        Args:
            link_base: Where those who get a mail reach this system.

        Raises:
            ValidationFailed: Nobody to send to, nothing to say, or a line break in a header.
            RateLimited: The user has sent to enough people today.
            IdempotencyConflict: The idempotency key stands for another order.
            Unavailable: No mail system is set up.
        """
        need_mail_system(self._settings)
        if not recipients:
            raise _invalid("nobody to send to")
        check_header("subject", words.subject)
        check_size(words.html, words.text)
        sending_id = new_id()
        task = send_bulk.having(
            owner_id=owner_id, priority=_PRIORITY, idempotency_key=idempotency_key
        )
        handle = await self._batches.open(
            session,
            task,
            batch_id=sending_id,
            total=len(recipients),
            unit=UNIT,
            args_hash=_hash(recipients, words),
        )
        if handle.is_new:
            await self._keep_quota(session, owner_id, len(recipients))
            values = {
                "id": sending_id,
                "owner_id": owner_id,
                "subject": words.subject,
                "html": words.html,
                "text": words.text,
                "link_base": link_base,
            }
            await self._add(session, values, recipients)
        tasks = await self._sendings.chunks(session, handle.id)
        return SendingHandle(id=handle.id, tasks=tasks, is_new=handle.is_new)

    async def get(self, session: Session, sending_id: UUID, *, owner_id: int | None) -> Sending:
        """Return a sending.

        Args:
            owner_id: Only if it belongs to this user; none: whosever it is.

        Raises:
            NotFound: It does not exist, or has another owner; the two look alike.
        """
        found = await self._sendings.find(session, sending_id, owner_id=owner_id)
        if found is None:
            raise NotFound(f"There is no sending {sending_id} of yours.")
        return found

    async def page(
        self, session: Session, *, owner_id: int | None, before: UUID | None, limit: int
    ) -> list[Sending]:
        """Return sendings, the newest first."""
        return await self._sendings.page(session, owner_id=owner_id, before=before, limit=limit)

    async def recipients(
        self,
        session: Session,
        sending_id: UUID,
        *,
        state: MailState | None,
        after: UUID | None,
        limit: int,
    ) -> list[Recipient]:
        """Return those a sending goes to, in the order they were given."""
        return await self._sendings.recipients(
            session, sending_id, state=state, after=after, limit=limit
        )

    async def pause(self, session: Session, sending_id: UUID) -> None:
        """Hand over no more of its messages; those on their way go on. Twice is fine.

        Raises:
            Conflict: All of them have ended.
        """
        await self._unfinished(session, sending_id)
        await self._sendings.pause(session, sending_id, is_paused=True)
        self._tell(session, sending_id)

    async def resume(self, session: Session, sending_id: UUID) -> None:
        """Let a paused sending go on. Twice is fine.

        Raises:
            Conflict: All of its messages have ended.
        """
        await self._unfinished(session, sending_id)
        await self._sendings.pause(session, sending_id, is_paused=False)
        await self._tasks.hurry_batch(session, sending_id)
        self._tell(session, sending_id)

    async def cancel(self, session: Session, batch_id: UUID) -> None:
        """See `Counted.cancel`."""
        await self._sendings.cancel(session, batch_id, retention_s=self._settings.retention_s)
        self._tell(session, batch_id)

    async def _unfinished(self, session: Session, sending_id: UUID) -> None:
        batch = await self._batches.get(session, sending_id, owner_id=None)
        if batch.finished_at is not None:
            raise Conflict("All its mails have ended already.")

    async def _keep_quota(self, session: Session, owner_id: int, recipients: int) -> None:
        most = self._settings.bulk_per_user_a_day
        await self._mails.hold_quota(session, owner_id)
        sent = await self._sendings.recipients_of_user(session, owner_id, within=_DAY)
        if sent + recipients > most:
            raise RateLimited(
                f"You have sent to {sent} of {most} recipients a day.", retry_after_s=3600
            )

    async def _add(
        self, session: Session, values: dict[str, Any], recipients: Sequence[str]
    ) -> None:
        size = max(_LEAST_OF_CHUNK, -(-len(recipients) // _CHUNKS))
        chunks = [new_id() for _ in range(0, len(recipients), size)]
        mails = [
            {
                "id": str(new_id()),
                "chunk": place // size,
                "task_id": str(chunks[place // size]),
                "recipient": recipient,
                "recipient_key": address_key(recipient),
            }
            for place, recipient in enumerate(recipients)
        ]
        retry_for_s = self._settings.retry_for_s
        await self._sendings.add(session, values, mails, retry_for_s=retry_for_s)
        task = send_bulk.having(owner_id=values["owner_id"], priority=_PRIORITY)
        columns = {**self._tasks.columns(task), "batch_id": str(values["id"])}
        orders = [
            order_of(task, {"batch_id": str(values["id"]), "chunk": chunk}, task_id=task_id)
            for chunk, task_id in enumerate(chunks)
        ]
        await self._tasks.enqueue_all(session, columns, orders)

    def _tell(self, session: Session, sending_id: UUID) -> None:
        after_commit(session, lambda: self._notices.send(batch_key(sending_id)))


def refuse(faults: Sequence[Fault]) -> None:
    """Refuse a list with faults, naming each.

    Raises:
        ValidationFailed: There are some.
    """
    if not faults:
        return
    errors = [
        {"loc": ["body", "email_list", fault.index], "msg": fault.why}
        for fault in faults[:_MOST_FAULTS]
    ]
    first = faults[0]
    raise ValidationFailed(
        f"email_list: {len(faults)} of them cannot be written to, e.g. "
        f"[{first.index}]: {first.why.rstrip('.')}. "
        "Mend the list, or send `skip_faulty: true` to leave them out.",
        errors=errors,
    )


def _checked(recipients: Sequence[str]) -> tuple[list[str], list[Fault]]:
    good: list[str] = []
    faults: list[Fault] = []
    places: dict[str, int] = {}
    for index, given in enumerate(recipients):
        try:
            address = check_address(given).addr_spec
        except ValidationFailed as exc:
            faults.append(Fault(index=index, email=given, why=exc.detail))
            continue
        first = places.setdefault(address_key(address), index)
        if first == index:
            good.append(address)
        else:
            faults.append(Fault(index=index, email=given, why=f"the same as [{first}]"))
    return good, faults


def _hash(recipients: Sequence[str], words: Words) -> bytes:
    told = dump([list(recipients), words.subject, words.html, words.text])
    return hashlib.sha256(told.encode()).digest()


def _invalid(message: str) -> ValidationFailed:
    return ValidationFailed(
        f"email_list: {message}", errors=[{"loc": ["body", "email_list"], "msg": message}]
    )
