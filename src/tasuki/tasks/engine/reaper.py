"""Repairs what dead processes left: ended leases, lost bells, late tasks, old rows.

Any number of processes may run it; each row is taken by one of them.
"""

import asyncio
import random

from tasuki.core.errors import Unavailable
from tasuki.core.logging import get_logger
from tasuki.core.notices import Notices
from tasuki.tasks.engine.cleaner import Cleaner
from tasuki.tasks.engine.dispatcher import BrokerUnavailable, Dispatcher
from tasuki.tasks.engine.repository import EngineRepository
from tasuki.tasks.service import DISPATCH_KEY, tell
from tasuki.tasks.settings import TasksSettings

log = get_logger(__name__)

_LONGEST_PAUSE_S = 5.0


class Reaper:
    """Goes round every few seconds."""

    def __init__(
        self,
        *,
        repository: EngineRepository,
        dispatcher: Dispatcher,
        cleaner: Cleaner,
        notices: Notices,
        settings: TasksSettings,
    ) -> None:
        self._repository = repository
        self._dispatcher = dispatcher
        self._cleaner = cleaner
        self._notices = notices
        self._settings = settings

    async def run_for_ever(self) -> None:
        """Reap until cancelled; no failure of database, broker or disk ends it."""
        pause_s = min(
            _LONGEST_PAUSE_S, self._settings.lease_s / 6, self._settings.ring_again_s / 2
        )
        while True:
            # Several processes reap; the random part keeps them from coming all at once.
            await asyncio.sleep(random.uniform(pause_s / 2, pause_s))  # noqa: S311  # see above
            try:
                await self.go_round()
            except (Unavailable, BrokerUnavailable, OSError) as exc:
                log.warning("reaper_failed", error=str(exc))

    async def go_round(self) -> None:
        """Do everything once."""
        reaped = await self._repository.reap()
        if reaped:
            log.warning("leases_expired", count=len(reaped))
            self._notices.send(DISPATCH_KEY)
        tell(self._notices, [*reaped, *await self._repository.expire()])
        await self._cleaner.purge()
        await self._dispatcher.ring_unanswered(ring_again_s=self._settings.ring_again_s)
