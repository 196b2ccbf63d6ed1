"""An inbox is read in the order in which things were told, whatever their ids are."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_INDEX, _TABLE = "notifications_of_user", "notifications"


def upgrade() -> None:
    """Apply the step."""
    op.drop_index(_INDEX, _TABLE)
    op.create_index(_INDEX, _TABLE, ["user_id", sa.text("created_at DESC"), sa.text("id DESC")])


def downgrade() -> None:
    """Take the step back."""
    op.drop_index(_INDEX, _TABLE)
    op.create_index(_INDEX, _TABLE, ["user_id", sa.text("id DESC")])
