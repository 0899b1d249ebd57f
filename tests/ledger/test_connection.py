"""Which ledgers can be named, and what is said of one that cannot be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from postgresql_server import make_schema

from provetune.core.errors import EnvironmentFault, UsageError
from provetune.ledger.connection import ledger_url, open_engine
from provetune.ledger.records import Ledger, file_url


@pytest.mark.parametrize(
    "written", ["postgresql://me@host/db", "postgres://me@host/db", "postgresql+psycopg://me@host/db"]
)
def test_every_spelling_of_postgresql_means_the_driver_that_is_installed(written: str) -> None:
    assert ledger_url(written).render_as_string() == "postgresql+psycopg://me@host/db"


@pytest.mark.parametrize("written", ["mysql://me:hidden@host/db", "postgresql+asyncpg://me:hidden@host/db"])
def test_other_databases_are_refused_without_showing_the_password(written: str) -> None:
    with pytest.raises(UsageError, match=r"is not a database URL of a ledger.*\n?.*postgresql\+psycopg") as refused:
        Ledger(written)
    assert "hidden" not in "".join(refused.value.lines())


def test_a_server_that_does_not_answer_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(EnvironmentFault, match="cannot be reached") as refused:
        Ledger(f"postgresql+psycopg://me:hidden@/db?host={tmp_path}")
    (line,) = refused.value.lines()[:1]
    assert "hidden" not in line
    assert "\n" not in line


def test_a_missing_driver_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import builtins

    true = builtins.__import__

    def without(name: str, *rest: Any, **named: Any) -> Any:
        if name == "psycopg":
            raise ModuleNotFoundError("No module named 'psycopg'", name="psycopg")
        return true(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(EnvironmentFault, match="needs the package 'psycopg'") as refused:
        Ledger("postgresql://me@host/db")
    assert "provetune[postgresql]" in "".join(refused.value.lines())


def test_reading_makes_no_ledger(location: str) -> None:
    with pytest.raises(UsageError, match="There is no ledger here"):
        Ledger(location, create=False)
    Ledger(location).close()
    Ledger(location, create=False).close()


def test_reading_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no ledger here"):
        Ledger(file_url(tmp_path / "none" / "ledger.sqlite"), create=False)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_acknowledges_early_is_asked_to_wait(postgresql: str) -> None:
    url = make_schema(postgresql)
    early = f"{url}%20-csynchronous_commit%3Doff"
    engine = open_engine(early)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
        assert connection.exec_driver_sql("SHOW search_path").scalar() == url.rpartition("%3D")[2]
    engine.dispose()
