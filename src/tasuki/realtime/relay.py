"""Brings what transactions have published from its table to the broker."""

import asyncio
import random
from collections.abc import Awaitable, Callable

from tasuki.core.database import Database, Session
from tasuki.core.errors import Unavailable
from tasuki.core.logging import get_logger
from tasuki.core.notices import Notices
from tasuki.realtime.broker import Broker
from tasuki.realtime.channels import Namespaces, UnknownChannel
from tasuki.realtime.publisher import OUTBOX_KEY
from tasuki.realtime.repository import OutboxRepository

log = get_logger(__name__)

_AT_ONCE = 100
_LOOK_EVERY_S = 5.0  # without any notice
_BUSY_S = 0.05  # somebody else is at it


class Relay:
    """Empties the outbox; any number of processes may run one, one works at a time.

    A row is deleted after it was published. Whoever dies in between leaves it to the next, and
    its number keeps the broker from taking it twice.

    Args:
        epoch: Names the database: one that is made anew counts its rows anew.
    """

    def __init__(
        self,
        *,
        database: Database,
        broker: Broker,
        namespaces: Namespaces,
        notices: Notices,
        epoch: Callable[[Session], Awaitable[str]],
        repository: OutboxRepository | None = None,
    ) -> None:
        self._database = database
        self._broker = broker
        self._namespaces = namespaces
        self._notices = notices
        self._epoch = epoch
        self._outbox = repository or OutboxRepository()
        self._origin = ""

    async def run_for_ever(self) -> None:
        """Publish until cancelled; no failure of database or broker ends it."""
        with self._notices.listen(OUTBOX_KEY) as waiter:
            while True:
                try:
                    is_more = await self.publish_some()
                except Unavailable as exc:
                    log.warning("relay_failed", error=str(exc))
                    await asyncio.sleep(random.uniform(0.2, 1.0))  # noqa: S311  # spreads load
                    continue
                if is_more is None:
                    await asyncio.sleep(_BUSY_S)
                elif not is_more:
                    await waiter.wait(within_s=_LOOK_EVERY_S)

    async def publish_some(self) -> bool | None:
        """Publish what waits.

        Returns:
            Whether there may be more; None if somebody else is at it.

        Raises:
            Unavailable: Database or broker does not answer.
        """
        async with self._database.unit_of_work() as session:
            if not await self._outbox.hold(session):
                return None
            waiting = await self._outbox.oldest(session, most=_AT_ONCE)
            if waiting and not self._origin:
                self._origin = await self._epoch(session)
            for row_id, publication in waiting:
                try:
                    history = self._namespaces.of(publication.channel).history
                except UnknownChannel:  # of a release that is no more
                    log.warning("unknown_channel", channel=publication.channel)
                    continue
                once = f"{self._origin}-{row_id}"
                await self._broker.publish(publication, history=history, once=once)
            if waiting:
                await self._outbox.remove(session, [row_id for row_id, _ in waiting])
        return len(waiting) == _AT_ONCE
