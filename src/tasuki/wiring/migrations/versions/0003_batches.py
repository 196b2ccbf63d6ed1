"""Batches: many tasks counted in one row. Indexes for batches, children and replays."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_RELATIVES = {
    "tasks_of_batch": ["batch_id", "id"],
    "tasks_of_parent": ["parent_id"],
    "tasks_replays": ["replay_of"],
}
"""The index that finds the tasks of a batch, of a parent, and the replays of a task."""


def upgrade() -> None:
    """Apply the step."""
    when = sa.DateTime(timezone=True)
    op.create_table(
        "batches",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.BigInteger(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        *(
            sa.Column(counter, sa.Integer(), server_default="0", nullable=False)
            for counter in ("queued", "running", "succeeded", "failed", "cancelled")
        ),
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("on_complete_id", sa.Uuid(), nullable=True),
        sa.Column("idempotency_key", sa.Text(), nullable=True),
        sa.Column("args_hash", sa.LargeBinary(), nullable=False),
        sa.Column("cancel_requested_at", when, nullable=True),
        sa.Column("created_at", when, server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", when, nullable=True),
        sa.Column("purge_at", when, nullable=True),
        sa.PrimaryKeyConstraint("id"),
        # One row takes thousands of changes; with room on its page none of them needs an index.
        postgresql_with={"fillfactor": "50"},
    )
    op.create_index(
        "batches_idempotency",
        "batches",
        ["owner_id", "name", "idempotency_key"],
        unique=True,
        postgresql_where=sa.text("idempotency_key IS NOT NULL"),
        postgresql_nulls_not_distinct=True,
    )
    op.create_index(
        "batches_purge", "batches", ["purge_at"], postgresql_where=sa.text("purge_at IS NOT NULL")
    )
    for name, columns in _RELATIVES.items():
        has_one = sa.text(f"{columns[0]} IS NOT NULL")
        op.create_index(name, "tasks", columns, postgresql_where=has_one)


def downgrade() -> None:
    """Take the step back."""
    for name in _RELATIVES:
        op.drop_index(name, table_name="tasks")
    op.drop_table("batches")
