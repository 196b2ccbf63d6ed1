"""Decides which slots are ordered, and tells how far each schedule is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tasuki.core.database import Session
from tasuki.core.errors import NotFound
from tasuki.core.logging import get_logger
from tasuki.tasks.schedules.declare import CatchUp, Cron, Schedule
from tasuki.tasks.schedules.models import ScheduleRow
from tasuki.tasks.schedules.repository import ScheduleRepository
from tasuki.tasks.service import TaskService

log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class ScheduleStatus:
    """A schedule as people see it.

    Attributes:
        at: When it runs, in words.
        cron: The expression behind the words; none: an interval.
        timezone: Where the hours of the expression are told; none: it has none.
        last_run_at: The last slot that was ordered or left out.
    """

    name: str
    task: str
    at: str
    cron: str | None
    timezone: str | None
    catch_up: CatchUp
    enabled: bool
    last_run_at: datetime | None
    last_task_id: UUID | None
    next_run_at: datetime | None


class ScheduleService:
    """Orders slots, each once, whoever asks and however often.

    A schedule's row is locked while its slots are ordered, and the slot is the idempotency
    key of its order: two barriers, so that neither a crash nor a second scheduler gets a slot
    twice or loses it.
    """

    def __init__(
        self,
        *,
        schedules: Sequence[Schedule],
        tasks: TaskService,
        repository: ScheduleRepository | None = None,
    ) -> None:
        self._schedules = {schedule.name: schedule for schedule in schedules}
        if len(self._schedules) != len(schedules):
            msg = "two schedules have the same name"
            raise ValueError(msg)
        self._tasks = tasks
        self._rows = repository or ScheduleRepository()

    @property
    def names(self) -> list[str]:
        """Return the names of all schedules."""
        return sorted(self._schedules)

    async def prepare(self, session: Session) -> None:
        """Make the rows that are missing: a new schedule begins now, not in the past."""
        await self._rows.add_missing(session, self.names)

    async def order_due(self, session: Session, name: str) -> list[datetime]:
        """Order what is due of one schedule, unless another scheduler is at it.

        Returns:
            The slots that were ordered.
        """
        row = await self._rows.lock(session, name, skip_locked=True)
        if row is None or not row.is_enabled:
            return []
        schedule = self._schedules[name]
        now = await self._rows.now(session)
        slots = schedule.due(row.last_slot, now)
        for slot in slots:
            key = f"schedule:{name}:{slot.isoformat()}"
            task = schedule.task.having(idempotency_key=key)
            handle = await self._tasks.enqueue(session, task, schedule.args)
            row.last_task_id = str(handle.id)
            log.info("slot_ordered", schedule=name, slot=slot.isoformat(), task_id=str(handle.id))
        row.last_slot = slots[-1] if slots else self._left_out(schedule, row, now)
        return slots

    async def seconds_to_next(self, session: Session) -> float | None:
        """Return how long nothing is due, over all schedules that are on."""
        now = await self._rows.now(session)
        rows = await self._rows.all(session)
        pauses = [
            (slot - now).total_seconds()
            for name, schedule in self._schedules.items()
            if name in rows and rows[name].is_enabled
            for slot in [schedule.next_after(rows[name].last_slot)]
            if slot is not None
        ]
        return min(pauses, default=None)

    async def status(self, session: Session) -> list[ScheduleStatus]:
        """Return all schedules in the order of their names."""
        rows = await self._rows.all(session)
        now = await self._rows.now(session)
        return [self._status(self._schedules[name], rows.get(name), now) for name in self.names]

    async def switch(self, session: Session, name: str, *, enabled: bool) -> ScheduleStatus:
        """Switch a schedule on or off; slots that pass while it is off are never made up.

        Raises:
            NotFound: There is no schedule of this name.
        """
        if name not in self._schedules:
            known = ", ".join(self.names) or "none"
            raise NotFound(f"There is no schedule {name!r}; there are: {known}.")
        await self.prepare(session)
        row = await self._rows.lock(session, name)
        now = await self._rows.now(session)
        if row is not None and row.is_enabled != enabled:
            row.is_enabled = enabled
            row.last_slot = max(row.last_slot, now) if enabled else row.last_slot
        return self._status(self._schedules[name], row, now)

    def _left_out(self, schedule: Schedule, row: ScheduleRow, now: datetime) -> datetime:
        """Return where the schedule stands when nothing was ordered."""
        following = schedule.next_after(row.last_slot)
        if following is None or following > now:
            return row.last_slot
        log.warning("slots_left_out", schedule=schedule.name, since=row.last_slot.isoformat())
        return now

    def _status(
        self, schedule: Schedule, row: ScheduleRow | None, now: datetime
    ) -> ScheduleStatus:
        enabled = row.is_enabled if row is not None else True
        last_task = row.last_task_id if row is not None else None
        cron = schedule.at if isinstance(schedule.at, Cron) else None
        return ScheduleStatus(
            name=schedule.name,
            task=schedule.task.name,
            at=str(schedule.at),
            cron=cron.expression if cron else None,
            timezone=cron.timezone if cron else None,
            catch_up=schedule.catch_up,
            enabled=enabled,
            last_run_at=row.last_slot if row is not None and last_task else None,
            last_task_id=UUID(last_task) if last_task else None,
            next_run_at=schedule.next_after(now) if enabled else None,
        )
