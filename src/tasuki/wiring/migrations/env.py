"""Alembic's entry: runs the steps on a connection that is handed in."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=context.config.attributes["metadata"],
    compare_server_default=False,
)
with context.begin_transaction():
    context.run_migrations()
