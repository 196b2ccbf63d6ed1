"""What can be exported of activity."""

from sqlalchemy import select

from tasuki.activity.models import ActivityRow
from tasuki.core.datasets import Dataset

ACTIVITY = Dataset(
    name="activity",
    about="What people did: sign-ins, posts, comments and the project's own.",
    rows=select(
        ActivityRow.id, ActivityRow.user_id, ActivityRow.kind, ActivityRow.at, ActivityRow.data
    ),
    owner="user_id",
    filters=("kind", "at"),
    sort=("id", "at"),
)
