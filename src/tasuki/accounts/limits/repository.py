"""SQL for counted sign-ins. All times are the database's."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import case, delete, extract, func, select, update
from sqlalchemy.dialects.postgresql import insert

from tasuki.accounts.models import LoginAttemptRow
from tasuki.core.database import Session


class AttemptRepository:
    """Counts sign-ins in fixed windows, for all processes at once."""

    async def count(
        self, session: Session, keys: Sequence[bytes], *, window: timedelta
    ) -> dict[bytes, tuple[int, int]]:
        """Add one to each key; return its count and the seconds its window still lasts.

        A first count, or one after the window's end, opens a new window.
        """
        # One order for all: two sign-ins that share two keys must not wait for each other.
        rows = [
            {"key": key, "failures": 1, "ends_at": func.now() + window} for key in sorted(keys)
        ]
        statement = insert(LoginAttemptRow).values(rows)
        is_over = LoginAttemptRow.ends_at <= func.now()
        counted = await session.execute(
            statement.on_conflict_do_update(
                index_elements=[LoginAttemptRow.key],
                set_={
                    "failures": case((is_over, 1), else_=LoginAttemptRow.failures + 1),
                    "ends_at": case(
                        (is_over, statement.excluded.ends_at), else_=LoginAttemptRow.ends_at
                    ),
                },
            ).returning(
                LoginAttemptRow.key,
                LoginAttemptRow.failures,
                func.ceil(extract("epoch", LoginAttemptRow.ends_at - func.now())).label("left"),
            )
        )
        return {row.key: (row.failures, max(1, int(row.left))) for row in counted}

    async def take_back(self, session: Session, keys: Sequence[bytes]) -> None:
        """Take one off each key."""
        held = (
            select(LoginAttemptRow.key)
            .where(LoginAttemptRow.key.in_(keys))
            .order_by(LoginAttemptRow.key)
            .with_for_update()
        )
        await session.execute(
            update(LoginAttemptRow)
            .where(LoginAttemptRow.key.in_(held))
            .values(failures=func.greatest(LoginAttemptRow.failures - 1, 0))
        )

    async def delete_ended(self, session: Session, *, limit: int) -> int:
        """Delete counts whose window is over; return how many."""
        ended = (
            select(LoginAttemptRow.key)
            .where(LoginAttemptRow.ends_at <= func.now())
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        query = delete(LoginAttemptRow).where(LoginAttemptRow.key.in_(ended))
        return len(list(await session.scalars(query.returning(LoginAttemptRow.key))))
