"""The newest task of a key is found without passing all tasks that have none."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the step."""
    op.create_index(
        "tasks_by_unique_key",
        "tasks",
        ["unique_key", sa.text("id DESC")],
        postgresql_where=sa.text("unique_key IS NOT NULL"),
    )


def downgrade() -> None:
    """Take the step back."""
    op.drop_index("tasks_by_unique_key", "tasks")
