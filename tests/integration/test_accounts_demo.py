"""Demo people on a real PostgreSQL."""

from datetime import UTC, datetime
from typing import Any

import pytest

from support.accounts import Site, sign_in
from tasuki.accounts.demo import fill_demo
from tasuki.accounts.errors import SystemNotEmpty
from tasuki.core.database import Database
from tasuki.core.errors import ValidationFailed

NOW = datetime(2026, 3, 18, 15, 0, tzinfo=UTC)


def nothing(done: int, total: int) -> None: ...


async def rows(database: Database, statement: str) -> list[Any]:
    async with database.driver() as connection:
        return [tuple(row) for row in await connection.fetch(statement)]


async def test_the_demo_fills_an_empty_system_with_people(database: Database) -> None:
    """Names from two cultures, no passwords, addresses that no mail ever reaches."""
    site = Site(database)
    async with database.unit_of_work() as session:
        await site.users.ensure_admin(session)
    told: list[tuple[int, int]] = []

    recorded = await fill_demo(
        database,
        users=2500,
        days=30,
        seed=1,
        now=NOW,
        on_progress=lambda done, total: told.append((done, total)),
    )

    people = await rows(database, "SELECT username, name, email FROM users WHERE role = 'user'")
    assert told == [(1000, 2500), (2000, 2500), (2500, 2500)]
    assert len(people) == len({name for name, _, _ in people}) == 2500
    assert all("@example." in email for _, _, email in people)
    assert 0.4 < sum(name[0] > "\u3000" for _, name, _ in people) / 2500 < 0.6
    (passwords,) = await rows(
        database, "SELECT count(*) FROM users WHERE password_hash IS NOT NULL"
    )
    assert passwords == (1,), "only the admin"
    answer = await sign_in(site.browser(), people[0][0])
    assert answer.status_code == 401
    (span,) = await rows(database, "SELECT min(at), max(at), count(*) FROM activity")
    assert datetime(2026, 2, 16, tzinfo=UTC) < span[0] < span[1] <= NOW
    assert span[2] == recorded > 2500 * 5
    await site.close()


async def test_people_have_habits(database: Database) -> None:
    """Working days are busier than weekends, afternoons busier than nights."""
    await fill_demo(database, users=1000, days=28, seed=2, now=NOW, on_progress=nothing)

    by_day = dict(
        await rows(
            database,
            "SELECT extract(isodow FROM at)::int, count(*) FROM activity GROUP BY 1",
        )
    )
    kinds = {kind for (kind,) in await rows(database, "SELECT DISTINCT kind FROM activity")}
    (per_person,) = await rows(
        database, "SELECT min(n), max(n) FROM (SELECT count(*) n FROM activity GROUP BY user_id)"
    )

    assert min(by_day[day] for day in range(1, 6)) > max(by_day[6], by_day[7])
    assert kinds == {"login", "post", "comment"}
    assert per_person[0] <= 3
    assert per_person[1] >= 60


async def test_one_seed_gives_the_same_people_and_the_same_doings(database: Database) -> None:
    """A screenshot, a bug report and a benchmark can be repeated."""
    asked = (
        "SELECT username, name, email, u.created_at, kind, at FROM users u "
        "LEFT JOIN activity ON user_id = u.id ORDER BY 1, 6, 5"
    )
    results = []
    for seed in (7, 7, 8):
        await fill_demo(database, users=50, days=10, seed=seed, now=NOW, on_progress=nothing)
        results.append(await rows(database, asked))
        async with database.driver() as connection:
            await connection.execute("TRUNCATE users, activity CASCADE")

    assert results[0] == results[1] != results[2]


async def test_a_system_in_use_is_left_alone(database: Database) -> None:
    """Invented people among real ones would be found in a mailing."""
    site = Site(database)
    await site.add("hanako")

    with pytest.raises(SystemNotEmpty):
        await fill_demo(database, users=10, days=1, seed=1, on_progress=nothing)

    assert await rows(database, "SELECT count(*) FROM users") == [(1,)]
    await site.close()


async def test_a_fill_that_is_broken_off_leaves_nothing(database: Database) -> None:
    """After Ctrl-C the same command works again."""

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt(done, total)

    with pytest.raises(KeyboardInterrupt):
        await fill_demo(database, users=10, days=5, seed=1, on_progress=stop)

    assert await rows(database, "SELECT count(*) FROM users") == [(0,)]
    assert await rows(database, "SELECT count(*) FROM activity") == [(0,)]


@pytest.mark.parametrize(("users", "days"), [(0, 1), (1, 0), (1_000_001, 1), (1, 367)])
async def test_numbers_out_of_range_are_refused(database: Database, users: int, days: int) -> None:
    """A typo does not fill the disk."""
    with pytest.raises(ValidationFailed):
        await fill_demo(database, users=users, days=days, seed=1, on_progress=nothing)
