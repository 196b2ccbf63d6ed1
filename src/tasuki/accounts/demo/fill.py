"""Fills an empty system with people who do not exist and what they did.

All of it is one transaction, so a fill that is broken off leaves nothing behind.
"""

from collections.abc import Callable
from datetime import datetime

from tasuki.accounts.demo.population import Population
from tasuki.accounts.demo.repository import DemoRepository
from tasuki.accounts.errors import SystemNotEmpty
from tasuki.activity import ActivityRepository
from tasuki.core.clock import utc_now
from tasuki.core.database import Database
from tasuki.core.errors import ValidationFailed

MAX_USERS = 1_000_000
MAX_DAYS = 366

_BATCH = 1000  # people between two words of progress; their rows wait in memory

OnProgress = Callable[[int, int], None]
"""Takes how many people are done, and how many there will be."""


async def fill_demo(
    database: Database,
    *,
    users: int,
    days: int,
    seed: int,
    on_progress: OnProgress,
    now: datetime | None = None,
) -> int:
    """Add people without passwords, and their logins, posts and comments.

    Args:
        users: How many people, 1 to a million.
        days: How far back their activity goes, 1 to 366; today is the last of them.
        seed: The same number gives the same people.
        now: Where the activity ends, aware; default: now.

    Returns:
        How many activities were recorded.

    Raises:
        SystemNotEmpty: There are users other than admins.
        ValidationFailed: A number is out of range.
    """
    if not (1 <= users <= MAX_USERS and 1 <= days <= MAX_DAYS):
        raise ValidationFailed(f"users: 1 to {MAX_USERS}; days: 1 to {MAX_DAYS}")
    repository, activity = DemoRepository(), ActivityRepository()
    recorded = 0
    async with database.driver() as connection, connection.transaction():
        await repository.hold_setup(connection)
        taken = await repository.admin_names(connection)
        if taken is None:
            raise SystemNotEmpty
        population = Population(seed=seed, days=days, now=now or utc_now(), taken=taken)
        for done in range(0, users, _BATCH):
            people = [population.person() for _ in range(min(_BATCH, users - done))]
            ids = await repository.add_people(
                connection,
                [(one.username, one.name, one.email, one.joined_at) for one in people],
            )
            rows = [
                (user_id, kind, at, "{}")
                for user_id, one in zip(ids, people, strict=True)
                for kind, at in population.activity_of(one)
            ]
            await activity.bulk_load(connection, rows)
            recorded += len(rows)
            on_progress(done + len(people), users)
    async with database.driver() as connection:
        await repository.analyze(connection)
    return recorded
