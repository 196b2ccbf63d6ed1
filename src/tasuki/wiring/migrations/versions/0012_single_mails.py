"""Find single mails among those of sendings."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_SINGLE = sa.text("batch_id IS NULL")


def upgrade() -> None:
    """Apply the step."""
    op.create_index("mails_single", "mails", ["id"], postgresql_where=_SINGLE)
    op.create_index("mails_single_of_owner", "mails", ["owner_id", "id"], postgresql_where=_SINGLE)


def downgrade() -> None:
    """Take the step back."""
    op.drop_index("mails_single_of_owner", "mails")
    op.drop_index("mails_single", "mails")
