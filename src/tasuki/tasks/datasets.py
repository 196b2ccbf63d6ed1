"""What can be exported of tasks."""

from sqlalchemy import select

from tasuki.core.datasets import Dataset
from tasuki.tasks.models import TaskRow

TASKS = Dataset(
    name="tasks",
    about="Background work: what was ordered, when, and how it ended.",
    rows=select(
        TaskRow.id,
        TaskRow.owner_id,
        TaskRow.name,
        TaskRow.queue,
        TaskRow.lane,
        TaskRow.state,
        TaskRow.attempt,
        TaskRow.tags,
        TaskRow.batch_id,
        TaskRow.created_at,
        TaskRow.started_at,
        TaskRow.finished_at,
        TaskRow.error,
    ),
    owner="owner_id",
    filters=("name", "queue", "lane", "state", "batch_id", "created_at", "finished_at"),
    sort=("id", "created_at", "finished_at"),
)
