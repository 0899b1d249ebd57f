"""The migrations make exactly the tables that the code describes, from nothing and from every older ledger."""

from __future__ import annotations

import io
import json
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from frozen_study import entry
from sqlalchemy import Engine, create_engine, text

from provetune.ledger.connection import HEAD, _configuration, open_engine
from provetune.ledger.records import Ledger, file_url
from provetune.ledger.tables import METADATA

FIRST_ROWS = (
    "INSERT INTO studies VALUES (1, 'intents-1', 'w1', 1, '2025-01-01T00:00:00.000000+00:00', 'intents',"
    " 'classification', 'accuracy', 0.95, :problem, 'd', 'rows', 'c', '0.1.0', :empty, :empty)",
    "INSERT INTO splits VALUES (1, 'test', 20, 'rows')",
    "INSERT INTO claims VALUES (1, 0, 'full > words')",
    "INSERT INTO trials VALUES (1, 'full', 0, 7, 'finished', 1, '2025-01-01T00:00:01.000000+00:00',"
    " '2025-01-01T00:00:02.000000+00:00', 1.0, :empty, 'trials/full-0', NULL, :empty)",
    "INSERT INTO looks VALUES (1, 'rows', 1, 'outcomes of full-0', 'hash', :yes, 1,"
    " '2025-01-01T00:00:03.000000+00:00', :empty)",
    "INSERT INTO acceptance VALUES (1, 1, 'trials/full-0/bundle', 'accuracy', '>= 0.5', 0.9, 0.7, :yes,"
    " '2025-01-01T00:00:04.000000+00:00')",
    "INSERT INTO notes VALUES (1, 1, 'resumed', 'taken up', :empty, '2025-01-01T00:00:05.000000+00:00')",
)


def make_first_ledger(url: str) -> None:
    """A ledger as the first version left it, with a row in each table."""
    engine = create_engine(url)
    configuration = _configuration()
    values = {"problem": json.dumps({"name": "intents"}), "empty": "{}", "yes": True}
    with engine.connect() as connection, connection.begin():
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, "0001")
        for statement in FIRST_ROWS:
            used = {name: value for name, value in values.items() if f":{name}" in statement}
            connection.execute(text(statement), used)
        if engine.dialect.name == "postgresql":  # the keys above were not drawn from the tables' own sequences
            for table in ("studies", "looks", "acceptance", "notes"):
                connection.execute(text(f"SELECT setval(pg_get_serial_sequence('{table}', 'key'), 1)"))
    engine.dispose()


def differences(engine: Engine) -> list[object]:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, METADATA))


def test_migrated_tables_equal_the_described_ones(location: str) -> None:
    engine = open_engine(location)
    assert differences(engine) == []
    engine.dispose()


def test_a_first_ledger_keeps_its_rows_and_takes_verdicts(location: str) -> None:
    make_first_ledger(location)
    with Ledger(location) as ledger:
        (record,) = ledger.studies()
        assert (record.entry.name, record.entry.claims, record.entry.splits["test"].rows) == (
            "intents",
            ("full > words",),
            20,
        )
        assert [item["what"] for item in ledger.history(1)] == [
            "registered",
            "started",
            "finished",
            "look",
            "acceptance",
            "note",
        ]
        ledger.record_verdicts(1, [{"claim": "full > words", "verdict": "supported", "look": 1}])
        assert [item["what"] for item in ledger.problem_history("intents")] == [
            "hypotheses",
            "look",
            "acceptance",
            "verdict",
        ]
        # New rows get numbers of their own beside those that came from the older ledger.
        ledger.register_study(entry())
    engine = open_engine(location)
    assert differences(engine) == []
    engine.dispose()


def test_every_migration_can_be_undone(location: str) -> None:
    make_first_ledger(location)
    engine = open_engine(location)
    configuration = _configuration()
    with engine.connect() as connection, connection.begin():
        configuration.attributes["connection"] = connection
        command.downgrade(configuration, "0001")
        assert connection.execute(text("SELECT count(*) FROM looks")).scalar() == 1
        command.downgrade(configuration, "base")
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
