"""Acknowledged writes survive SIGKILL, every acknowledgement follows a sync, and writers do not lose to each other.

A twentieth of what `benchmarks/reliability_ledger.py` does in full, on SQLite and on PostgreSQL.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy import text

from provetune.ledger.connection import open_engine

FILE = Path(__file__).parents[2] / "benchmarks" / "reliability_ledger.py"
KILLS = {"sqlite": 10, "postgresql": 4}
WRITERS = {"sqlite": 8, "postgresql": 4}
WRITES = 50


@pytest.fixture(scope="module")
def benchmark_module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reliability_ledger", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def kind(location: str) -> str:
    return location.partition("+")[0].partition(":")[0]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_no_acknowledged_write_is_lost_to_a_kill(benchmark_module: ModuleType, tmp_path: Path, location: str) -> None:
    kills = KILLS[kind(location)]
    found = benchmark_module.kill_writers(tmp_path, location, kills=kills, seed=5)
    assert found["killed"] == kills
    assert found["acknowledged"] > 20 * kills
    assert (found["lost"], found["damaged"]) == (0, 0)


@pytest.mark.slow
def test_a_crowd_and_a_reader_lose_nothing(benchmark_module: ModuleType, tmp_path: Path, location: str) -> None:
    writers = WRITERS[kind(location)]
    found = benchmark_module.crowd(tmp_path, location, writers=writers, writes=WRITES)
    assert found["writes"] == writers * WRITES
    assert found["readings"] > 0
    bad = {name: found[name] for name in ("lost", "doubled", "miscounted", "failed", "damaged")}
    assert bad == dict.fromkeys(bad, 0)


def test_a_new_ledger_may_be_made_by_several_at_once(location: str) -> None:
    making = "import sys; from provetune.ledger.records import Ledger; Ledger(sys.argv[1]).note('made', sys.argv[2])"
    makers = [subprocess.Popen([sys.executable, "-c", making, location, str(number)]) for number in range(4)]
    assert [maker.wait() for maker in makers] == [0] * 4
    engine = open_engine(location)
    with engine.connect() as connection:
        told = connection.execute(text("SELECT message FROM notes")).scalars().all()
    engine.dispose()
    assert sorted(told) == ["0", "1", "2", "3"]


def test_every_acknowledgement_follows_a_sync(benchmark_module: ModuleType, tmp_path: Path, location: str) -> None:
    found = benchmark_module.trace_syncs(tmp_path, location, writes=30)
    assert found == {"by": found["by"], "writes": 30, "unsynced": 0}
    if kind(location) == "sqlite" and benchmark_module.may_trace():
        assert found["by"] == "strace"


def test_the_sync_count_notices_a_ledger_that_does_not_wait(
    benchmark_module: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not benchmark_module.may_trace():
        pytest.skip("needs strace")
    careless = benchmark_module.WRITER.replace(
        "ledger = Ledger(place)",
        "import provetune.ledger.connection as c\n"
        "from sqlalchemy import event\n"
        "ledger = Ledger(place)\n"
        "event.listen(ledger._engine, 'checkout', lambda raw, *_: raw.execute('PRAGMA synchronous=OFF'))",
    )
    monkeypatch.setattr(benchmark_module, "WRITER", careless)
    found = benchmark_module.trace_syncs(tmp_path, f"sqlite:///{tmp_path / 'ledger.sqlite'}", writes=9)
    assert found["unsynced"] > 6
