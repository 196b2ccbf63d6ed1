"""The live events of a batch: a snapshot, then its newest numbers, then that it is over.

Unlike those of a task the numbers need no history: the newest say all. So a watcher who was
away gets one event instead of thousands, and one that is here at most four a second.
"""

import asyncio
import time
from uuid import UUID

from tasuki.core.clock import utc_now
from tasuki.core.database import Database
from tasuki.core.errors import Unavailable
from tasuki.core.notices import Notices
from tasuki.tasks.batches.records import BatchRecord
from tasuki.tasks.batches.schemas import BatchEventOut, BatchOut
from tasuki.tasks.batches.service import BatchService
from tasuki.tasks.events import Position, Viewer, Watch
from tasuki.tasks.service import TaskService, batch_key
from tasuki.web.sse import Emit

_PAUSE_S = 0.25  # between two events: four a second


class BatchWatch(Watch):
    """One watcher of one batch."""

    def __init__(
        self,
        *,
        batch_id: UUID,
        batches: BatchService,
        tasks: TaskService,
        viewer: Viewer,
        database: Database,
        notices: Notices,
    ) -> None:
        super().__init__(
            key=batch_key(batch_id), viewer=viewer, database=database, notices=notices
        )
        self._batch_id = batch_id
        self._batches = batches
        self._tasks = tasks
        self._sent = time.monotonic()

    async def begin(self, last: Position | None) -> bool:
        """Find out where to start.

        Returns:
            False when the watcher has seen the end already.

        Raises:
            NotFound: There is no such batch for this caller.
        """
        record = await self._read()
        async with self._database.unit_of_work() as session:
            self._epoch = await self._tasks.epoch(session)
        is_over = record.finished_at is not None
        if self._start(last, record.version, is_over=is_over):
            self._first = self._event("snapshot", record, self._seq)
        return not (is_over and self._seq == record.version)

    async def _send_news(self, emit: Emit) -> tuple[int, bool]:
        pause_s = self._sent + _PAUSE_S - time.monotonic()
        if pause_s > 0:
            await asyncio.sleep(pause_s)
        try:
            record = await self._read()
        except Unavailable:
            return 0, False  # the next look tries again
        if record.version <= self._seq:
            return 0, False
        is_over = record.finished_at is not None
        self._seq = record.version
        self._sent = time.monotonic()
        await emit(self._event("completed" if is_over else "progress", record, self._seq))
        return 1, is_over

    async def _read(self) -> BatchRecord:
        async with self._database.unit_of_work() as session:
            return await self._batches.get(session, self._batch_id, owner_id=self._viewer.owner_id)

    def _event(self, kind: str, record: BatchRecord, seq: int) -> bytes:
        event = BatchEventOut(
            batch_id=record.id,
            seq=seq,
            type=kind,
            at=utc_now(),
            data=BatchOut.model_validate(record),
        )
        return self._frame(event, seq=seq, kind=kind)
