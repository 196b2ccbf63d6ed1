"""Mail."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_WHEN = sa.DateTime(timezone=True)
_NOW = sa.text("now()")
_TABLES = (
    "mails",
    "mail_sendings",
    "mail_suppressions",
    "mail_pace",
    "mail_link_key",
    "mail_verifications",
    "caught_mails",
)


def upgrade() -> None:
    """Apply the step."""
    _add_mails()
    _add_sendings()
    _add_the_rest()
    op.add_column("users", sa.Column("email_verified_at", _WHEN, nullable=True))
    op.add_column("batches", sa.Column("unit", sa.Text(), server_default="tasks", nullable=False))


def downgrade() -> None:
    """Take the step back."""
    op.drop_column("batches", "unit")
    op.drop_column("users", "email_verified_at")
    for name in _TABLES:
        op.drop_table(name)


def _add_mails() -> None:
    op.create_table(
        "mails",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.BigInteger(), nullable=True),
        sa.Column("batch_id", sa.Uuid(), nullable=True),
        sa.Column("chunk", sa.Integer(), nullable=True),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("recipient_key", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("html", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("if_unknown", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=True),
        sa.Column("args_hash", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.Text(), server_default="queued", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("token", sa.Uuid(), nullable=True),
        sa.Column("content_at", _WHEN, nullable=True),
        sa.Column("due_at", _WHEN, server_default=_NOW, nullable=False),
        sa.Column("give_up_at", _WHEN, nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("created_at", _WHEN, server_default=_NOW, nullable=False),
        sa.Column("ended_at", _WHEN, nullable=True),
        sa.Column("purge_at", _WHEN, nullable=True),
        sa.PrimaryKeyConstraint("id"),
        # A row changes four times on its way; with room on its page that is cheap.
        postgresql_with={"fillfactor": "70"},
    )
    op.create_index("mails_of_owner", "mails", ["owner_id", "id"])
    op.create_index("mails_to", "mails", ["recipient_key", "created_at"])
    op.create_index(
        "mails_waiting",
        "mails",
        ["batch_id", "chunk", "due_at"],
        postgresql_where=sa.text("state IN ('queued', 'sending', 'deferred')"),
    )
    op.create_index(
        "mails_of_batch",
        "mails",
        ["batch_id", "id"],
        postgresql_where=sa.text("batch_id IS NOT NULL"),
    )
    op.create_index(
        "mails_idempotency",
        "mails",
        ["owner_id", "idempotency_key"],
        unique=True,
        postgresql_where=sa.text("idempotency_key IS NOT NULL"),
        postgresql_nulls_not_distinct=True,
    )
    op.create_index(
        "mails_purge", "mails", ["purge_at"], postgresql_where=sa.text("purge_at IS NOT NULL")
    )


def _add_sendings() -> None:
    op.create_table(
        "mail_sendings",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.BigInteger(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("link_base", sa.Text(), nullable=False),
        sa.Column("created_at", _WHEN, server_default=_NOW, nullable=False),
        sa.Column("paused_at", _WHEN, nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("mail_sendings_of_owner", "mail_sendings", ["owner_id", "id"])
    op.create_table(
        "mail_suppressions",
        sa.Column("address_key", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", _WHEN, server_default=_NOW, nullable=False),
        sa.PrimaryKeyConstraint("address_key"),
    )
    op.create_table(
        "mail_pace",
        sa.Column("id", sa.SmallInteger(), nullable=False),
        sa.Column("next_at", _WHEN, server_default=_NOW, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.execute("INSERT INTO mail_pace (id) VALUES (1)")


def _add_the_rest() -> None:
    op.create_table(
        "mail_link_key",
        sa.Column("id", sa.SmallInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    # Two random UUIDs are 244 random bits (RFC 9562, 5.4).
    op.execute(
        "INSERT INTO mail_link_key (id, key) "
        "VALUES (1, concat(gen_random_uuid(), gen_random_uuid()))"
    )
    op.create_table(
        "mail_verifications",
        sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("expires_at", _WHEN, nullable=False),
        sa.PrimaryKeyConstraint("user_id"),
        sa.UniqueConstraint("token_hash"),
    )
    op.create_table(
        "caught_mails",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("recipients", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", _WHEN, server_default=_NOW, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
