"""Hands messages to the mail system, and writes down what became of each.

Before the content of a message leaves, that is committed: whoever finds a message held without
this mark knows that it was not taken. Marks and ends that come together are written together.
"""

import asyncio
import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from uuid import UUID

from tasuki.core.clock import Clock
from tasuki.core.errors import TasukiError
from tasuki.core.ids import new_id
from tasuki.core.logging import get_logger
from tasuki.core.notices import Notices
from tasuki.core.together import Together
from tasuki.mail.addresses import check_address, check_sender
from tasuki.mail.errors import MailDeferred, MailUnknown
from tasuki.mail.handing.deciding import end_of
from tasuki.mail.handing.repository import HandingRepository
from tasuki.mail.message import Letter
from tasuki.mail.records import Held, MailEnd, Words
from tasuki.mail.settings import MailSettings
from tasuki.mail.transport import Transport
from tasuki.tasks import Fatal
from tasuki.tasks.errors import LeaseLost
from tasuki.tasks.service import DISPATCH_KEY, batch_key

log = get_logger(__name__)

_MOST_TOGETHER = 200
# Many connections at once finish close together, and share a commit if it waits for them.
_MARKS_LINGER_S, _ENDS_LINGER_S = 0.004, 0.02
_LAST_WORD_S = 4.0  # an answer that is on its way when we are told to stop is worth a wait


class Sender:
    """Hands over messages of this process, for one event loop.

    Args:
        clock: For the ``Date`` of messages.
    """

    def __init__(
        self,
        *,
        repository: HandingRepository,
        transport: Transport,
        settings: MailSettings,
        notices: Notices,
        clock: Clock,
    ) -> None:
        self._repository = repository
        self._transport = transport
        self._from = check_sender(settings.from_)
        self._notices = notices
        self._clock = clock
        self._marks = Together(
            self._mark_all, most=_MOST_TOGETHER, name="mail-marks", linger_s=_MARKS_LINGER_S
        )
        self._ends = Together(
            self._end_all, most=_MOST_TOGETHER, name="mail-ends", linger_s=_ENDS_LINGER_S
        )
        self._leaving: set[UUID] = set()

    async def send(self, mail_id: UUID, *, task_id: UUID) -> str:
        """Send a message of its own, and return what the mail system said.

        A message that was sent before is not sent again.

        Raises:
            MailDeferred: Not now; try again.
            MailUnreachable: As before, and it is our fault.
            MailRejected: Never.
            MailUnknown: Nobody knows, and it is not to be sent again.
            Fatal: It was given up, cancelled, or its address is suppressed.
        """
        held = await self._repository.hold(mail_id, token=new_id(), task_id=task_id)
        if isinstance(held, Held):
            words = await self._repository.words(mail_id)
            end, why = await self.hand_over(held, self.letter(words))
            return _told(end, why)
        return await self._not_sent(mail_id)

    def letter(self, words: Words) -> Letter:
        """Return words as they are sent.

        Raises:
            ValidationFailed: They cannot be.
        """
        return Letter(words.subject, words.html, words.text, sender=self._from)

    async def hand_over(
        self,
        held: Held,
        letter: Letter,
        *,
        headers: Mapping[str, str] | None = None,
        room: AbstractAsyncContextManager[object] | None = None,
    ) -> tuple[MailEnd, TasukiError | None]:
        """Hand over a message that is held; return what became of it, and why.

        One whose content has left is waited for a moment, even by those who are told to stop.

        Args:
            room: Entered for as long as the mail system is talked to.

        Raises:
            LeaseLost: Somebody else holds it by now; nothing of it left.
            Unavailable: The database does not answer; it is found as it is.
        """
        handing = asyncio.create_task(
            self._hand_over(held, letter, headers or {}, room or nullcontext()),
            name="mail-handing",
        )
        try:
            return await asyncio.shield(handing)
        except asyncio.CancelledError:
            if held.id not in self._leaving:
                handing.cancel()
            await asyncio.wait({handing}, timeout=_LAST_WORD_S)
            handing.cancel()
            raise

    async def _hand_over(
        self,
        held: Held,
        letter: Letter,
        headers: Mapping[str, str],
        room: AbstractAsyncContextManager[object],
    ) -> tuple[MailEnd, TasukiError | None]:
        said: str | TasukiError
        try:
            envelope = letter.to(
                check_address(held.recipient),
                key=str(held.id),
                at=self._clock(),
                headers=headers,
            )
            async with room:
                said = await self._transport.send(
                    envelope, before=lambda: self._about_to_leave(held)
                )
        except LeaseLost:
            raise
        except TasukiError as exc:
            said = exc
        except Exception:
            log.exception("mail_not_handed_over", mail_id=str(held.id))
            said = self._broken(held)
        try:
            end = end_of(held, said)
            await self._ends.do(end)
        finally:
            self._leaving.discard(held.id)
        return end, None if isinstance(said, str) else said

    def _broken(self, held: Held) -> TasukiError:
        """Return what it means that our own code failed: the next attempt would fail as well."""
        if held.id in self._leaving:
            return MailUnknown("Something broke on our side after the content had left.")
        return Fatal("Something broke on our side.")

    async def _about_to_leave(self, held: Held) -> None:
        if not await self._marks.do(held):
            raise LeaseLost(f"mail {held.id} is held by somebody else")
        self._leaving.add(held.id)

    async def _mark_all(self, held: list[Held]) -> Sequence[bool]:
        marked = await self._repository.mark(held)
        return [one.id in marked for one in held]

    async def _end_all(self, ends: list[MailEnd]) -> Sequence[None]:
        sendings, has_next = await self._repository.end(ends)
        keys = [batch_key(sending_id) for sending_id in sendings]
        if keys:
            self._notices.send(*keys, *([DISPATCH_KEY] if has_next else []))
        return [None] * len(ends)

    async def _not_sent(self, mail_id: UUID) -> str:
        await self._repository.leave_unknown(mail_id)
        record = await self._repository.find(mail_id)
        if record is None:
            raise Fatal(f"There is no mail {mail_id} any more.")
        if record.state == "sent":
            return record.answer or ""
        if record.state == "unknown":
            raise MailUnknown(record.answer)
        raise Fatal(f"The mail is {record.state}: {record.answer or ''}".rstrip(": "))


def _told(end: MailEnd, why: TasukiError | None) -> str:
    """Return the answer to a message that was sent; raise what it means else."""
    if why is None:
        return end.answer
    if end.pause_s is None and end.state == "failed" and why.retryable:
        raise Fatal(end.answer) from why
    if end.pause_s is None:
        raise why
    due_in_s = math.ceil(end.pause_s)  # the task does not come back before its message is due
    if isinstance(why, MailUnknown):
        again = f"{why.detail}; sent again under the same Message-ID"
        raise MailDeferred(again, retry_after_s=due_in_s) from why
    why.retry_after_s = due_in_s
    raise why
