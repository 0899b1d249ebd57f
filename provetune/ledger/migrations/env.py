"""Alembic's entry: migrates over the connection that `provetune.ledger.connection` hands in."""

from __future__ import annotations

from alembic import context

from provetune.ledger.tables import METADATA

connection = context.config.attributes.get("connection")
if connection is None:
    context.configure(dialect_name=context.config.attributes.get("dialect", "sqlite"), target_metadata=METADATA)
else:
    context.configure(connection=connection, target_metadata=METADATA, transaction_per_migration=False)
with context.begin_transaction():
    context.run_migrations()
