"""The whole way on a PostgreSQL server: a study is run, its history told, and the same line again trains nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from postgresql_server import make_schema

from provetune.cli.main import answer
from provetune.ledger.records import Ledger


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_study_is_run_and_told_with_its_ledger_on_a_server(
    tmp_path: Path, write_problem: Callable[..., Path], postgresql: str, capsys: pytest.CaptureFixture[str]
) -> None:
    url = make_schema(postgresql)
    problem = write_problem(
        tmp_path,
        candidates={"words": {"method": "tfidf"}},
        claims=["words >= 0.1"],
        accept={"accuracy": ">= 0.1"},
        study={"seeds": 1, "parallel": 1},
    )
    line = ["run", str(problem), "--ledger", url, "--quiet", "--json"]
    assert answer(line) == 0
    document = json.loads(capsys.readouterr().out)
    assert not (tmp_path / ".provetune" / "ledger.sqlite").exists()

    assert answer(["ledger", str(problem), "--ledger", url, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    kinds = [item["what"] for item in told["history"]]
    assert kinds[:2] == ["hypotheses", "look"]
    assert {"verdict", "acceptance"} <= set(kinds)
    assert {item["study"] for item in told["history"]} == {document["study"]}
    assert told["tests"][0]["looks"] == 1
    # The workspace has no ledger of its own, and asking for one makes none.
    assert answer(["ledger", str(problem)]) == 2
    assert "same --ledger" in capsys.readouterr().err
    assert answer(["report", str(problem), "--json"]) == 0
    capsys.readouterr()
    assert not (tmp_path / ".provetune" / "ledger.sqlite").exists()

    with Ledger(url) as ledger:
        (record,) = ledger.studies()
        assert [trial.starts for trial in ledger.trials(record.key)] == [1]
    # A new look begins where the count stands, in whatever workspace.
    assert answer([*line, "--workspace", str(tmp_path / "elsewhere"), "--set", "claims=[words >= 0.2]"]) == 0
    with Ledger(url) as ledger:
        assert [look.number for look in ledger.looks(record.entry.test_hash) if look.charged] == [1, 2]
