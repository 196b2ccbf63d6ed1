"""Repairs what dead processes left: ended leases, lost bells, late tasks, old rows.

Any number of processes may run it; each row is taken by one of them.
"""

import asyncio
import random
from uuid import UUID

from tasuki.core.errors import Unavailable
from tasuki.core.logging import get_logger
from tasuki.core.notices import Notices
from tasuki.tasks.engine.cleaner import Cleaner
from tasuki.tasks.engine.dispatcher import BrokerUnavailable, Dispatcher
from tasuki.tasks.engine.hooks import HookCaller
from tasuki.tasks.engine.repository import EngineRepository
from tasuki.tasks.service import DISPATCH_KEY, tell
from tasuki.tasks.settings import TasksSettings

log = get_logger(__name__)

_LONGEST_PAUSE_S = 5.0


class Reaper:
    """Goes round every few seconds.

    Attributes:
        busy: Held on the way; who cancels then loses a bell or a hook.
    """

    def __init__(
        self,
        *,
        repository: EngineRepository,
        dispatcher: Dispatcher,
        cleaner: Cleaner,
        notices: Notices,
        settings: TasksSettings,
        hooks: HookCaller | None = None,
    ) -> None:
        self._repository = repository
        self._dispatcher = dispatcher
        self._cleaner = cleaner
        self._notices = notices
        self._settings = settings
        self._hooks = hooks
        self.busy = asyncio.Lock()

    async def run_for_ever(self) -> None:
        """Reap until cancelled; no failure of database, broker or disk ends it."""
        pause_s = min(
            _LONGEST_PAUSE_S, self._settings.lease_s / 6, self._settings.ring_again_s / 2
        )
        while True:
            # Several processes reap; the random part keeps them from coming all at once.
            await asyncio.sleep(random.uniform(pause_s / 2, pause_s))  # noqa: S311  # see above
            try:
                async with self.busy:
                    await self.go_round()
            except (Unavailable, BrokerUnavailable, OSError) as exc:
                log.warning("reaper_failed", error=str(exc))

    async def go_round(self) -> None:
        """Do everything once."""
        reaped = await self._repository.reap()
        if reaped:
            log.warning("leases_expired", count=len(reaped))
            self._notices.send(DISPATCH_KEY)
        moved = [*reaped, *await self._repository.expire()]
        tell(self._notices, moved)
        await self._call_hooks([task.id for task in moved if task.state.is_terminal])
        await self._cleaner.purge()
        await self._dispatcher.ring_unanswered(ring_again_s=self._settings.ring_again_s)

    async def _call_hooks(self, ended: list[UUID]) -> None:
        """Have the hooks called of tasks that no worker has any more."""
        if ended and self._hooks is not None:
            self._hooks.call_later(await self._repository.ended(ended))
