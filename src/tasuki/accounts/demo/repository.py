"""SQL for loading many users at once, on the driver's own connection (`Database.driver`)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from tasuki.accounts.repository import SETUP_LOCK

UserTuple = tuple[str, str, str, datetime]
"""Username, name, email and the moment they joined."""


class DemoRepository:
    """Fills the users table by COPY, within the connection's transaction."""

    async def hold_setup(self, connection: Any) -> None:
        """Let nobody else fill an empty system until this transaction ends."""
        await connection.execute("SELECT pg_advisory_xact_lock($1)", SETUP_LOCK)

    async def admin_names(self, connection: Any) -> set[str] | None:
        """Return the lower-case usernames there are, or nothing if somebody is no admin."""
        rows = await connection.fetch("SELECT lower(username) AS name, role FROM users LIMIT 1000")
        if any(row["role"] != "admin" for row in rows):
            return None
        return {row["name"] for row in rows}

    async def add_people(self, connection: Any, people: Sequence[UserTuple]) -> list[int]:
        """Load users without passwords; return their ids in the same order."""
        rows = await connection.fetch(
            "SELECT nextval(pg_get_serial_sequence('users', 'id')) AS id "
            "FROM generate_series(1, $1)",
            len(people),
        )
        ids = [row["id"] for row in rows]
        await connection.copy_records_to_table(
            "users",
            records=[(number, *person) for number, person in zip(ids, people, strict=True)],
            columns=("id", "username", "name", "email", "created_at"),
        )
        return ids

    async def analyze(self, connection: Any) -> None:
        """Take stock; until then queries are planned as if the tables were empty."""
        await connection.execute("ANALYZE users, activity")
