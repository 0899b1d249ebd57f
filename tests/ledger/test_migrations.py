"""The migrations make exactly the tables that the code describes, for SQLite and for PostgreSQL."""

from __future__ import annotations

import io
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from provetune.ledger.connection import HEAD, _configuration, open_engine
from provetune.ledger.records import file_url
from provetune.ledger.tables import METADATA


def test_migrated_tables_equal_the_described_ones(tmp_path: Path) -> None:
    engine = open_engine(file_url(tmp_path / "ledger.sqlite"))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []
    engine.dispose()


def test_the_known_head_is_alembics_head() -> None:
    assert ScriptDirectory.from_config(_configuration()).get_current_head() == HEAD


def test_sqlite_is_set_up_to_survive_a_power_cut(tmp_path: Path) -> None:
    engine = open_engine(file_url(tmp_path / "ledger.sqlite"))
    with engine.connect() as connection:
        asked = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    engine.dispose()
    assert asked == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 120_000}


def test_the_migrations_speak_postgresql() -> None:
    configuration = _configuration()
    configuration.output_buffer = io.StringIO()
    configuration.attributes["dialect"] = "postgresql"
    command.upgrade(configuration, "head", sql=True)
    statements = configuration.output_buffer.getvalue()
    assert all(f"CREATE TABLE {table}" in statements for table in METADATA.tables)
    assert "key SERIAL NOT NULL" in statements
