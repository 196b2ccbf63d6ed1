"""SQL for schedules."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from tasuki.core.database import Session
from tasuki.tasks.schedules.models import ScheduleRow


class ScheduleRepository:
    """Reads and writes how far schedules are."""

    async def add_missing(self, session: Session, names: Iterable[str]) -> None:
        """Make a row for each schedule that has none; its slots begin now."""
        rows = [{"name": name, "last_slot": func.now()} for name in names]
        for row in rows:
            await session.execute(insert(ScheduleRow).values(row).on_conflict_do_nothing())

    async def lock(
        self, session: Session, name: str, *, skip_locked: bool = False
    ) -> ScheduleRow | None:
        """Return a row, held against all others; nothing if there is none, or another holds it."""
        query = select(ScheduleRow).where(ScheduleRow.name == name)
        found = await session.execute(query.with_for_update(skip_locked=skip_locked))
        return found.scalar_one_or_none()

    async def all(self, session: Session) -> dict[str, ScheduleRow]:
        """Return all rows by their name."""
        return {row.name: row for row in await session.scalars(select(ScheduleRow))}

    async def now(self, session: Session) -> datetime:
        """Return the database's time."""
        moment: datetime = (await session.execute(select(func.clock_timestamp()))).scalar_one()
        return moment
