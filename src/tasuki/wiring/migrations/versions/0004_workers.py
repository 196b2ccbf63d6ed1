"""What operators see: living workers, and a count of what happened to tasks."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# A task ends by one of several statements, and a count that forgot one would be wrong for good;
# so the row itself says that it ended. It adds a line and changes none: a counter that all
# workers changed would make each wait for the others' commits.
_NOTE = """
CREATE FUNCTION note_for_count() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.crash_count > OLD.crash_count THEN
        INSERT INTO task_uncounted (name, what) VALUES (NEW.name, 'lease_expired');
    END IF;
    IF OLD.finished_at IS NULL AND NEW.finished_at IS NOT NULL THEN
        INSERT INTO task_uncounted (name, what, wait_s, run_s) VALUES (
            NEW.name, NEW.state,
            extract(epoch FROM NEW.started_at - coalesce(NEW.queued_at, NEW.created_at)),
            extract(epoch FROM NEW.finished_at - NEW.started_at));
    END IF;
    RETURN NULL;
END $$
"""
_TRIGGER = """
CREATE TRIGGER note_for_count AFTER UPDATE OF finished_at, crash_count ON tasks FOR EACH ROW
WHEN (NEW.crash_count > OLD.crash_count
      OR OLD.finished_at IS NULL AND NEW.finished_at IS NOT NULL)
EXECUTE FUNCTION note_for_count()
"""


def upgrade() -> None:
    """Apply the step."""
    when = sa.DateTime(timezone=True)
    op.create_table(
        "workers",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("concurrency", sa.Integer(), nullable=False),
        sa.Column("started_at", when, server_default=sa.text("now()"), nullable=False),
        sa.Column("seen_at", when, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "task_counts",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("bound", sa.Double(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", "what", "bound"),
    )
    op.create_table(
        "task_uncounted",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("wait_s", sa.Double(), nullable=True),
        sa.Column("run_s", sa.Double(), nullable=True),
    )
    op.execute(_NOTE)
    op.execute(_TRIGGER)
    op.create_index(
        "tasks_finished",
        "tasks",
        ["finished_at"],
        postgresql_where=sa.text("finished_at IS NOT NULL"),
    )


def downgrade() -> None:
    """Take the step back."""
    op.drop_index("tasks_finished", "tasks")
    op.execute("DROP TRIGGER note_for_count ON tasks")
    op.execute("DROP FUNCTION note_for_count")
    for table in ("task_uncounted", "task_counts", "workers"):
        op.drop_table(table)
