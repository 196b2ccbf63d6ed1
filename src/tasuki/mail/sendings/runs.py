"""Hands over the messages of a sending, a chunk at a time.

A chunk is a task with a fixed part of the recipients. It works for a few seconds, then it gives
its place to what is more urgent and goes on later: so single mails never wait for ten thousand
others, and a worker that is lost takes no more with it than what is on its way.
"""

import asyncio
import random
import time
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from tasuki.core.errors import TasukiError
from tasuki.core.ids import new_id
from tasuki.core.notices import Notices
from tasuki.mail.errors import MailUnreachable
from tasuki.mail.handing.repository import ChunkNumbers, HandingRepository
from tasuki.mail.handing.sender import Sender
from tasuki.mail.message import Letter
from tasuki.mail.records import Held, Sending
from tasuki.mail.sendings.repository import SendingRepository
from tasuki.mail.settings import MailSettings
from tasuki.mail.suppressions.links import UnsubscribeLinks
from tasuki.tasks import Fatal, TaskContext
from tasuki.tasks.errors import Again
from tasuki.tasks.service import batch_key

_SLICE_S = 2.0
_TELL_EVERY_S = 0.5
_AT_ONCE = 50  # messages held at a time
_WHILE_PAUSED = timedelta(hours=1)  # whoever resumes does not wait for it
_OUR_FAULT_S = (5.0, 15.0)


class ChunkRunner:
    """Runs the chunks of sendings in this process."""

    def __init__(
        self,
        *,
        sender: Sender,
        repository: HandingRepository,
        sendings: SendingRepository,
        links: UnsubscribeLinks,
        settings: MailSettings,
        notices: Notices,
    ) -> None:
        self._sender = sender
        self._repository = repository
        self._sendings = sendings
        self._links = links
        self._per_s = settings.bulk_per_s
        self._notices = notices
        # One connection is left to single mails.
        self._room = asyncio.Semaphore(max(1, settings.connections - 1))

    async def run(self, ctx: TaskContext, batch_id: UUID, chunk: int) -> dict[str, int]:
        """Hand over what is due; return the numbers once nothing is left.

        Raises:
            Again: There is more to do.
            Fatal: The sending is gone.
        """
        async with ctx.unit_of_work() as session:
            sending = await self._sendings.find(session, batch_id)
        if sending is None:
            raise Fatal(f"There is no sending {batch_id} any more.")
        run = _Run(
            ctx=ctx, sending=sending, letter=self._sender.letter(sending.words), chunk=chunk
        )
        await self._repository.take_up(batch_id, chunk, task_id=ctx.task_id)
        await self._repository.recover(batch_id, chunk, token=run.token)
        until = time.monotonic() + _SLICE_S
        is_due = True
        while is_due and time.monotonic() < until:
            is_due = await self._some(run)
        numbers = await self._tell(run)
        if numbers.waiting:
            raise Again(_pause(numbers))
        return {
            "sent": numbers.sent,
            "failed": numbers.failed,
            "suppressed": numbers.suppressed,
            "unknown": numbers.unknown,
            "cancelled": numbers.cancelled,
        }

    async def end_orphans(self) -> None:
        """End messages whose task is over without them, and tell those who watch."""
        changed = await self._repository.end_orphans()
        if changed:
            self._notices.send(*(batch_key(sending_id) for sending_id in changed))

    async def _some(self, run: "_Run") -> bool:
        """Hand over some messages; return whether there may be more that are due."""
        most = await self._keep_pace()
        held, suppressed = await self._repository.hold_many(
            run.sending.id, run.chunk, token=run.token, most=most
        )
        if suppressed:
            self._notices.send(batch_key(run.sending.id))
        whys = await asyncio.gather(*(self._one(run, one) for one in held))
        if time.monotonic() - run.told > _TELL_EVERY_S:
            await self._tell(run)
        if any(isinstance(why, MailUnreachable) for why in whys):
            raise Again(timedelta(seconds=random.uniform(*_OUR_FAULT_S)))  # noqa: S311  # spreads load
        return bool(held or suppressed)

    async def _one(self, run: "_Run", held: Held) -> TasukiError | None:
        headers = await self._links.headers(held.recipient, run.sending.link_base)
        _, why = await self._sender.hand_over(held, run.letter, headers=headers, room=self._room)
        return why

    async def _keep_pace(self) -> int:
        """Wait until messages may go; return how many."""
        if self._per_s is None:
            return _AT_ONCE
        most = max(1, min(_AT_ONCE, int(self._per_s)))
        await asyncio.sleep(await self._repository.take_pace(most, per_s=self._per_s))
        return most

    async def _tell(self, run: "_Run") -> ChunkNumbers:
        numbers = await self._repository.numbers(run.sending.id, run.chunk)
        run.told = time.monotonic()
        done = numbers.total - numbers.waiting
        await run.ctx.progress(done, of=numbers.total, unit="mails", message="Sending")
        return numbers


@dataclass(kw_only=True)
class _Run:
    """A chunk while it has its place.

    Attributes:
        token: Holds its messages.
        told: When its progress was told last.
    """

    ctx: TaskContext
    sending: Sending
    letter: Letter
    chunk: int
    token: UUID = field(default_factory=new_id)
    told: float = 0.0


def _pause(numbers: ChunkNumbers) -> timedelta:
    if numbers.is_paused:
        return _WHILE_PAUSED
    return timedelta(seconds=max(0.0, numbers.due_in_s or 0.0))
