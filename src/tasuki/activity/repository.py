"""SQL for what users did."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Date, cast, func, insert, select, text

from tasuki.activity.models import ActivityRow
from tasuki.activity.records import Activity, ActivityTuple, DayCount
from tasuki.core.database import Session

_COPIED = ("user_id", "kind", "at", "data")


class ActivityRepository:
    """Reads and writes activity within somebody's unit of work."""

    async def add(
        self,
        session: Session,
        *,
        user_id: int,
        kind: str,
        data: dict[str, Any],
        at: datetime | None,
    ) -> Activity:
        """Insert one row; without a moment it gets the transaction's."""
        values: dict[str, Any] = {"user_id": user_id, "kind": kind, "data": data}
        if at is not None:
            values["at"] = at
        row = (
            await session.execute(
                insert(ActivityRow)
                .values(**values)
                .returning(ActivityRow.id, ActivityRow.at, ActivityRow.data)
            )
        ).one()
        return Activity(id=row.id, user_id=user_id, kind=kind, at=row.at, data=row.data)

    async def counts_by_day(
        self, session: Session, *, user_id: int, start: datetime, end: datetime, timezone: str
    ) -> list[DayCount]:
        """Count per calendar day of the timezone and kind, in that order; start included."""
        counted = await session.execute(
            select(
                cast(func.timezone(timezone, ActivityRow.at), Date).label("day"),
                ActivityRow.kind,
                func.count().label("times"),
            )
            .where(ActivityRow.user_id == user_id, ActivityRow.at >= start, ActivityRow.at < end)
            # By position: the timezone is a parameter, and PostgreSQL cannot know that two
            # parameters are the same expression.
            .group_by(text("1"), text("2"))
            .order_by(text("1"), text("2"))
        )
        return [(row.day, row.kind, row.times) for row in counted]

    async def bulk_load(self, connection: Any, rows: Iterable[ActivityTuple]) -> None:
        """Load many rows by COPY.

        Args:
            connection: What `Database.driver` lends; the rows join its transaction.
        """
        await connection.copy_records_to_table(
            ActivityRow.__tablename__, records=rows, columns=_COPIED
        )
