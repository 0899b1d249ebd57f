"""`provetune ledger`: the history of a problem in the terminal and as JSON, however the problem is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from provetune.cli.main import answer
from provetune.ledger.records import Ledger
from provetune.study.run import Study, run

WriteProblem = Callable[..., Path]

SECTIONS: dict[str, Any] = {
    "candidates": {"words": {"method": "tfidf"}},
    "claims": ["words >= 0.1"],
    "accept": {"accuracy": ">= 0.1"},
    "study": {"seeds": 1, "parallel": 1},
}


@dataclass
class Ran:
    problem: Path
    study: Study


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, write_problem: WriteProblem) -> Ran:
    problem = write_problem(tmp_path_factory.mktemp("ledger"), **SECTIONS)
    return Ran(problem, run(problem))


def document_of(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert answer(["ledger", *words, "--json"]) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def test_history_is_told_in_order(ran: Ran, capsys: pytest.CaptureFixture[str]) -> None:
    document = document_of(capsys, str(ran.problem))
    kinds = [item["what"] for item in document["history"]]
    assert kinds[:2] == ["hypotheses", "look"]
    assert {"verdict", "acceptance"} <= set(kinds)
    frozen = document["history"][0]
    assert (frozen["study"], frozen["claims"], frozen["metric"]) == (ran.study.id, ["words >= 0.1"], "accuracy")
    assert (document["history"][1]["number"], document["history"][1]["charged"]) == (1, True)
    assert document["history"][1]["alpha"] == pytest.approx(0.05)
    (test,) = document["tests"]
    assert (test["rows"], test["looks"], test["worn_out"]) == (24, 1, False)


def test_a_problem_may_be_named_by_its_file_its_study_its_folder_or_its_ledger(
    ran: Ran, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = document_of(capsys, str(ran.problem))
    url = f"sqlite:///{ran.problem.parent / '.provetune' / 'ledger.sqlite'}"
    assert document_of(capsys, str(ran.study.folder)) == expected
    assert document_of(capsys, str(ran.problem), "--ledger", url) == expected
    everything = {**expected, "problem": None}
    assert document_of(capsys, str(ran.problem.parent)) == everything
    assert document_of(capsys, "--ledger", url) == everything
    monkeypatch.chdir(ran.problem.parent)
    assert document_of(capsys) == everything


def test_the_terminal_shows_every_step(ran: Ran, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(["ledger", str(ran.problem)]) == 0
    shown = capsys.readouterr().out
    for part in (ran.study.id, "words >= 0.1", "accuracy >= 0.1: met", "look 1, charged α 0.05", "24 test rows"):
        assert part in shown


def test_a_worn_test_and_late_claims_are_said(
    tmp_path: Path, write_problem: WriteProblem, ran: Ran, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path / 'worn.sqlite'}"
    with Ledger(ran.problem.parent / ".provetune" / "ledger.sqlite") as book:
        entry = book.studies()[0].entry
    with Ledger(url) as book:
        key = book.register_study(entry).key
        for number in range(6):
            book.record_look(entry.test_hash, f"try {number}", study_key=key, judged=str(number))
        verdict = {"claim": "words >= 0.1", "verdict": "supported", "effect": 0.5, "interval": [0.4, 0.6]}
        book.record_verdicts(key, [{**verdict, "p_holm": 0.001, "alpha": 0.05, "look": 1}])
        late = {**entry.__dict__, "study_id": "late-1", "claims": ("words >= 0.2",)}
        book.register_study(type(entry)(**late))
    assert answer(["ledger", str(ran.problem), "--ledger", url]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "words >= 0.2 (added after 6 looks)" in shown
    assert "words >= 0.1: supported (look 1, effect +0.5000, from +0.4000 to +0.6000, corrected p 0.001)" in shown
    assert "worn out: 24 fresh labelled rows restore the test" in shown
    assert "α spent on rows" in shown


def test_nothing_to_tell_is_an_error_that_makes_nothing(
    tmp_path: Path, write_problem: WriteProblem, ran: Ran, capsys: pytest.CaptureFixture[str]
) -> None:
    problem = write_problem(tmp_path, name="another", **SECTIONS)
    before = sorted(tmp_path.rglob("*"))
    assert answer(["ledger", str(problem)]) == 2
    assert "Nothing was run here yet" in capsys.readouterr().err
    assert answer(["ledger", str(problem), "--ledger", f"sqlite:///{tmp_path / 'none.sqlite'}"]) == 2
    assert "There is no ledger here" in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before
    url = f"sqlite:///{ran.problem.parent / '.provetune' / 'ledger.sqlite'}"
    assert answer(["ledger", str(problem), "--ledger", url]) == 2
    said = capsys.readouterr().err
    assert "knows no study of 'another'" in said
    assert "support" in said
