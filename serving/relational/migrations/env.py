"""How Alembic runs the migrations: over the connection that `serving.relational.database` gives it."""

from __future__ import annotations

from alembic import context

from serving.relational.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
with context.begin_transaction():
    context.run_migrations()
