"""What can be exported of accounts."""

from sqlalchemy import func, select

from tasuki.accounts.models import UserRow
from tasuki.core.datasets import Dataset

USERS = Dataset(
    name="users",
    about="All users: names and mail addresses of people.",
    rows=select(
        UserRow.id,
        UserRow.username,
        func.coalesce(func.nullif(UserRow.name, ""), UserRow.username).label("name"),
        UserRow.email,
        UserRow.role,
        UserRow.created_at,
        UserRow.disabled_at,
    ),
    scope="export:pii",
    filters=("id", "username", "email", "role", "created_at", "disabled_at"),
    sort=("id", "username", "created_at"),
    columns_first=("id", "username", "name", "email", "created_at"),
)
