"""Decides who may write to whom, how often, and orders the message.

A message is a row and a task of one transaction: whoever got 202 is sent it, or finds out why
not. This is no open relay: without further rights a user writes to the own, verified address.
"""

import hashlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol
from uuid import UUID

from tasuki.core.database import Session
from tasuki.core.errors import Forbidden, NotFound, RateLimited
from tasuki.core.ids import new_id
from tasuki.core.jsontext import dump
from tasuki.mail.addresses import address_key, check_address
from tasuki.mail.message import check_header, check_size
from tasuki.mail.records import IfUnknown, MailHandle, MailRecord, MailState
from tasuki.mail.repository import MailRepository, find_mail
from tasuki.mail.rights import need_mail_system
from tasuki.mail.settings import MailSettings
from tasuki.mail.tasks import send
from tasuki.tasks import TaskService
from tasuki.tasks.errors import IdempotencyConflict
from tasuki.tasks.service import order_of
from tasuki.tasks.states import Lane
from tasuki.web.principal import Principal

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
SCOPE_ANY = "email:any"


class VerifiedAddresses(Protocol):
    """Knows which address of a user is surely theirs."""

    async def verified_address(self, session: Session, user_id: int) -> str | None:
        """Return it; none: they have none, or have not shown that it is theirs."""
        ...


class MailService:
    """Orders messages and answers questions about them, each call within the caller's transaction.

    Args:
        addresses: Whose is which.
    """

    def __init__(
        self,
        *,
        tasks: TaskService,
        settings: MailSettings,
        addresses: VerifiedAddresses,
        repository: MailRepository | None = None,
    ) -> None:
        self._tasks = tasks
        self._settings = settings
        self._addresses = addresses
        self._mails = repository or MailRepository()

    async def admit(
        self, session: Session, user: Principal, to: str, *, idempotency_key: str | None = None
    ) -> None:
        """Check that a user may write to an address now.

        Args:
            idempotency_key: An order that was taken with it is no further one.

        Raises:
            ValidationFailed: It is no address.
            Forbidden: It is not their own, verified one, and they have no right to others.
            RateLimited: They have written, or the address was written to, often enough.
        """
        key = address_key(check_address(to).addr_spec)
        if not user.has_scope(SCOPE_ANY):
            own = await self._addresses.verified_address(session, user.id)
            if own is None or address_key(own) != key:
                raise Forbidden(
                    "You may write to your own address once it is verified "
                    f"(POST /api/v1/mail/verification), or to others with the scope {SCOPE_ANY}."
                )
        await self._mails.hold_quota(session, user.id)
        if idempotency_key is not None and await self._mails.find_by_key(
            session, owner_id=user.id, key=idempotency_key
        ):
            return
        settings = self._settings
        ordered = await self._mails.ordered_by(session, user.id, within=_HOUR)
        if ordered >= settings.per_user_an_hour:
            raise RateLimited(
                f"You have written {ordered} mails within an hour.", retry_after_s=600
            )
        ordered = await self._mails.ordered_to(session, key, within=_DAY)
        if ordered >= settings.per_recipient_a_day:
            raise RateLimited(
                f"{to} was written to {ordered} times within a day.", retry_after_s=3600
            )

    async def order(
        self,
        session: Session,
        *,
        to: str,
        subject: str,
        html: str | None = None,
        text: str | None = None,
        owner_id: int | None,
        lane: Lane = "io",
        idempotency_key: str | None = None,
        priority: int = 0,
        if_unknown: IfUnknown = "again",
    ) -> MailHandle:
        """Order a message to one address; who may do so was asked before.

        Args:
            html: With no text, that is made of it.
            lane: Where it is sent; see `Task.lane`.
            if_unknown: What follows when nobody knows whether it was taken.

        Raises:
            ValidationFailed: No address, nothing to say, too much, or a line break in a header.
            IdempotencyConflict: The idempotency key stands for another message.
            Unavailable: No mail system is set up.
        """
        need_mail_system(self._settings)
        recipient = check_address(to).addr_spec
        check_header("subject", subject)
        check_size(html, text)
        mail_id, task_id = new_id(), new_id()
        values = {
            "id": mail_id,
            "owner_id": owner_id,
            "task_id": task_id,
            "recipient": recipient,
            "recipient_key": address_key(recipient),
            "subject": subject,
            "html": html,
            "text": text,
            "if_unknown": if_unknown,
            "idempotency_key": idempotency_key,
            "args_hash": _hash(recipient, subject, html, text),
        }
        retry_for_s = self._settings.retry_for_s
        if not await self._mails.add(session, values, retry_for_s=retry_for_s):
            return await self._earlier(session, owner_id, idempotency_key, values["args_hash"])
        task = send.having(owner_id=owner_id, lane=lane, priority=priority)
        order = order_of(task, {"mail_id": str(mail_id)}, task_id=task_id)
        await self._tasks.enqueue_all(session, self._tasks.columns(task), [order])
        return MailHandle(id=mail_id, task_id=task_id, is_new=True)

    async def get(self, session: Session, mail_id: UUID, *, owner_id: int | None) -> MailRecord:
        """Return a message.

        Args:
            owner_id: Only if it belongs to this user; none: whosever it is.

        Raises:
            NotFound: It does not exist, or has another owner; the two look alike.
        """
        found = await find_mail(session, mail_id, owner_id=owner_id)
        if found is None:
            raise NotFound(f"There is no mail {mail_id} of yours.")
        return found

    async def page(
        self,
        session: Session,
        *,
        owner_id: int | None,
        state: MailState | None,
        single: bool = False,
        before: UUID | None,
        limit: int,
    ) -> list[MailRecord]:
        """Return messages, the newest first.

        Args:
            single: Only those that belong to no sending.
        """
        return await self._mails.page(
            session, owner_id=owner_id, state=state, single=single, before=before, limit=limit
        )

    async def counts(self, session: Session) -> dict[MailState, int]:
        """Return how many messages are in each state, of everybody and of all that are kept."""
        return await self._mails.counts(session)

    async def cancelled(self, session: Session, task_ids: Sequence[UUID]) -> None:
        """End messages that wait for tasks which were cancelled."""
        await self._mails.cancel(session, task_ids, retention_s=self._settings.retention_s)

    async def _earlier(
        self, session: Session, owner_id: int | None, key: str | None, args_hash: object
    ) -> MailHandle:
        found = await self._mails.find_by_key(session, owner_id=owner_id, key=key or "")
        if found is None or found[1] != args_hash:
            raise IdempotencyConflict(key or "")
        return found[0]


def _hash(*parts: str | None) -> bytes:
    return hashlib.sha256(dump(parts).encode()).digest()
