"""What did not succeed is found without passing all that did."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the step."""
    op.create_index(
        "tasks_unsuccessful",
        "tasks",
        ["id"],
        postgresql_where=sa.text(
            "state IN ('failed', 'crashed', 'timed_out', 'cancelled', 'expired')"
        ),
    )


def downgrade() -> None:
    """Take the step back."""
    op.drop_index("tasks_unsuccessful", "tasks")
