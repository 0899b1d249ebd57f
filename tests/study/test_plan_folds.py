"""A plan of a cross-validated study: every run costs a model a fold, every row is tested on, and folds say less."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provetune.cli.main import answer
from provetune.problem.reading import read_problem
from provetune.study.plan import plan_study
from provetune.study.plan_costs import trial_costs
from provetune.study.plan_pilot import Pilot
from provetune.study.plan_rows import ExpectedRows
from provetune.study.problem_checks import baseline_of, problem_checks
from provetune.study.resolve import resolve
from provetune.study.workspace import open_workspace

WriteProblem = Callable[..., Path]
DATA = {"train": "messages.csv", "columns": {"text": "message", "label": "intent"}, "split": {"folds": 4}}
FULL = {"method": "full", "epochs": 12, "precision": "fp32", "evaluations": 1}
FIT = {"words": {"method": "tfidf"}, "other": {"method": "tfidf", "C": 3.0}}
# What trying them on a few rows found, in seconds and bytes.
TRIED_FIT = {
    "rows": 20,
    "fit_seconds": 2.0,
    "finish_seconds": 0.5,
    "feature_seconds": 0.0,
    "bundle_bytes": 1000,
    "memory_bytes": 5_000_000,
}
TRIED_STEPS = {
    "setup_seconds": 1.0,
    "row_seconds": 0.01,
    "score_seconds": 0.005,
    "finish_seconds": 0.2,
    "bundle_bytes": 2000,
    "memory_bytes": 7_000_000,
}


def write(write_problem: WriteProblem, folder: Path, **sections: Any) -> Path:
    return write_problem(folder, **{"data": DATA, "study": {"seeds": 3, "parallel": 1}, **sections})


def test_a_run_costs_a_model_a_fold(tmp_path: Path, write_problem: WriteProblem) -> None:
    """Of 120 rows in four folds, 60 teach in each round and 30 validate; each round trains a model."""
    path = write(write_problem, tmp_path, candidates={"words": {"method": "tfidf"}, "full": FULL})
    resolved = resolve(read_problem(path, checks=problem_checks(), baseline_of=baseline_of), device="cpu")
    tried = {"words": TRIED_FIT, "full": TRIED_STEPS}
    pilot = Pilot(resolved, ExpectedRows(resolved), {}, {})
    costs = trial_costs(resolved, open_workspace(tmp_path), pilot, tried)
    # Three times the rows that it was tried with.
    assert costs["words"].seconds == pytest.approx(4 * (2.0 * 60 / 20 + 0.5))
    assert costs["full"].seconds == pytest.approx(4 * (1.0 + 12 * 60 * 0.01 + 2 * 30 * 0.005 + 0.2))
    assert costs["full"].judge_seconds == pytest.approx(120 * 0.005)  # each row by one of the four
    assert (costs["words"].bundle_bytes, costs["full"].bundle_bytes) == (4000, 8000)
    # Folds are drawn anew for each run: even what knows no other chance has runs of its own.
    assert (costs["words"].left, costs["words"].kept) == (3, 3)


def test_claims_count_every_row_and_every_run(tmp_path: Path, write_problem: WriteProblem) -> None:
    path = write(write_problem, tmp_path, candidates=FIT, claims=["other > words + 0.1"])
    planned = plan_study(path, measure=False)
    (claim,) = planned["claims"]
    assert planned["folds"] == 4
    assert (claim["rows"], claim["seeds"]) == (120, 3)
    assert claim["seed_sd"] > 0
    # The same rows set aside as a test would show finer differences, and there tfidf's runs are all equal.
    (apart,) = plan_study(path, measure=False, overrides=["data.split={test: 0.9, validation: 0.05, stratify: true}"])[
        "claims"
    ]
    assert apart["rows"] == 108
    assert apart["seed_sd"] == 0
    assert claim["detectable"] > apart["detectable"]


def test_the_verb_says_folds_and_no_test_rows(
    tmp_path: Path, write_problem: WriteProblem, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(write_problem, tmp_path, candidates=FIT, claims=["other > words"])
    assert answer(["plan", str(path), "--no-measure"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "120 rows in 4 folds" in shown
    assert "rows to test on would make it decidable" in shown
    assert "test rows" not in shown


def test_too_few_rows_are_told_with_the_line_of_folds(
    tmp_path: Path, write_problem: WriteProblem, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(write_problem, tmp_path, candidates=FIT)
    with (tmp_path / "messages.csv").open("a", encoding="utf-8") as file:
        file.write("a rare matter,rare,mail\n")
    assert answer(["plan", str(path), "--no-measure"]) == 2
    line = path.read_text(encoding="utf-8").splitlines().index("    folds: 4") + 1
    assert f"{path.name}:{line}: The label 'rare' has 1 different text" in capsys.readouterr().err
