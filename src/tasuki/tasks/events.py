"""The live events of a task: their JSON, and how any watcher is brought up to date.

A watcher listens first, then reads the snapshot, then what is newer: there is no moment in
which an event could be missed. The history is a table, so a watcher may come back to any web
process and go on where it was.
"""

import math
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from tasuki.core.clock import utc_now
from tasuki.core.database import Database
from tasuki.core.errors import Unavailable
from tasuki.core.notices import Notices, Waiter
from tasuki.tasks.records import TaskEvent, TaskRecord
from tasuki.tasks.schemas import TaskOut
from tasuki.tasks.service import TaskService, task_key
from tasuki.tasks.states import TERMINAL
from tasuki.web.sse import HEARTBEAT, HEARTBEAT_S, Emit, frame

_CHECK_EVERY_S = 30.0  # whether the watcher is still who they were, without any notice
_LOOK_EVERY_S = 2.0  # without any notice; a lost notice costs no more than this
_AT_ONCE = 200


class EventOut(BaseModel):
    """The ``data:`` of one event; what its own ``data`` holds says `eventdata`."""

    task_id: UUID = Field(description="The task it is about.")
    seq: int = Field(description="Counts from 1 within the task, without a hole.")
    type: str = Field(description="What happened.")
    at: datetime = Field(description="When, by the database's clock.")
    attempt: int = Field(description="In which attempt; 0 before the first.")
    data: dict[str, Any] = Field(description="What there is to say about it.")


class Position(BaseModel):
    """Where a watcher is: ``EPOCH.SEQ``, the ``id:`` of the last event it saw."""

    epoch: str
    seq: int

    @classmethod
    def read(cls, text: str | None) -> "Position | None":
        """Read a ``Last-Event-ID``, which may be anything; nothing if it is not one of ours."""
        if not text or len(text) > 64:
            return None
        epoch, _, seq = text.rpartition(".")
        if not epoch or not seq.isascii() or not seq.isdigit():
            return None
        return cls(epoch=epoch, seq=int(seq))


@dataclass(frozen=True, kw_only=True)
class Viewer:
    """Who watches, and for how long they may.

    Attributes:
        owner_id: Sees only what belongs to this user; none: whosever it is.
        keys: Notices that say the watcher may not be allowed any more.
        is_allowed: Asked after such a notice, and from time to time.
        is_stopping: Whether this process stops; the watcher then goes to another.
    """

    owner_id: int | None
    keys: tuple[str, ...]
    is_allowed: Callable[[], Awaitable[bool]]
    is_stopping: Callable[[], bool]


class Watch(ABC):
    """One watcher of one thing that changes until it is over.

    Args:
        key: The notice that says the thing has changed.
    """

    def __init__(self, *, key: str, viewer: Viewer, database: Database, notices: Notices) -> None:
        self._key = key
        self._viewer = viewer
        self._database = database
        self._notices = notices
        self._epoch = ""
        self._seq = 0
        self._first: bytes | None = None
        self._checked = -math.inf
        self._said = time.monotonic()

    async def follow(self, emit: Emit) -> None:
        """Push events until it is over, the watcher may not see it any more, or we stop."""
        keys = self._viewer.keys
        with (
            # Each of them ends the wait; the second tells which of them it was.
            self._notices.listen(self._key, *keys) as news,
            self._notices.listen(*keys) as revoked,
        ):
            if not await self._may_go_on(revoked):
                return
            if self._first is not None:
                await emit(self._first)
            while not self._viewer.is_stopping() and await self._may_go_on(revoked):
                sent, is_over = await self._send_news(emit)
                if is_over:
                    return
                await self._keep_alive(emit, has_sent=bool(sent))
                await news.wait(within_s=_LOOK_EVERY_S)

    @abstractmethod
    async def _send_news(self, emit: Emit) -> tuple[int, bool]:
        """Send what is newer than the position; return how much, and whether that was the end."""

    def _start(self, last: Position | None, newest: int, *, is_over: bool) -> bool:
        """Find out where to start: after the position, or with a snapshot if it is none of ours.

        Returns:
            Whether a snapshot comes first. It stands before the event that ends the stream.
        """
        if last is not None and last.epoch == self._epoch and last.seq <= newest:
            self._seq = last.seq
            return False
        self._seq = newest - is_over
        return True

    async def _may_go_on(self, revoked: Waiter) -> bool:
        """Ask whether the watcher is still allowed: at first, after a notice, now and then.

        At first too, because a credential may have ended just before we listened.
        """
        now = time.monotonic()
        if not revoked.came() and now - self._checked < _CHECK_EVERY_S:
            return True
        self._checked = now
        return await self._viewer.is_allowed()

    async def _keep_alive(self, emit: Emit, *, has_sent: bool) -> None:
        """Say something when nothing was said for long."""
        now = time.monotonic()
        if has_sent:
            self._said = now
        elif now - self._said >= HEARTBEAT_S:
            self._said = now
            await emit(HEARTBEAT)

    def _frame(self, event: BaseModel, *, seq: int, kind: str) -> bytes:
        # Jittered, so that watchers of a stopped process do not come back as one.
        retry_ms = random.randint(1_000, 3_000) if kind == "snapshot" else None  # noqa: S311  # no secret
        shown = event.model_dump(mode="json")
        return frame(kind, shown, event_id=f"{self._epoch}.{seq}", retry_ms=retry_ms)


class TaskWatch(Watch):
    """One watcher of one task."""

    def __init__(
        self,
        *,
        task_id: UUID,
        tasks: TaskService,
        viewer: Viewer,
        database: Database,
        notices: Notices,
    ) -> None:
        super().__init__(key=task_key(task_id), viewer=viewer, database=database, notices=notices)
        self._task_id = task_id
        self._tasks = tasks

    async def begin(self, last: Position | None) -> bool:
        """Find out where to start.

        Returns:
            False when the watcher has seen the end already.

        Raises:
            TaskNotFound: There is no such task for this caller.
        """
        owner_id = self._viewer.owner_id
        async with self._database.unit_of_work() as session:
            record = await self._tasks.get(session, self._task_id, owner_id=owner_id)
            self._epoch = await self._tasks.epoch(session)
        is_over = record.state.is_terminal
        if self._start(last, record.event_seq, is_over=is_over):
            self._first = self._snapshot(record)
        return not (is_over and self._seq == record.event_seq)

    async def _send_news(self, emit: Emit) -> tuple[int, bool]:
        sent = 0
        while True:
            try:
                async with self._database.unit_of_work() as session:
                    events = await self._tasks.events_after(
                        session, self._task_id, self._seq, limit=_AT_ONCE
                    )
            except Unavailable:
                return sent, False  # the next look tries again; nothing is skipped
            for event in events:
                await emit(self._event(event))
                self._seq = event.seq
                if event.type in TERMINAL:
                    return sent, True
            sent += len(events)
            if len(events) < _AT_ONCE:
                return sent, False

    def _snapshot(self, record: TaskRecord) -> bytes:
        event = TaskEvent(
            task_id=record.id,
            seq=self._seq,
            type="snapshot",
            at=utc_now(),
            attempt=record.attempt,
            data=TaskOut.of(record).model_dump(mode="json"),
        )
        return self._event(event)

    def _event(self, event: TaskEvent) -> bytes:
        shown = EventOut.model_validate(event, from_attributes=True)
        return self._frame(shown, seq=event.seq, kind=event.type)
