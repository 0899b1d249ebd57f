"""`provetune lr` at the command line: a curve, a suggestion, a picture, and no row of the test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from provetune.cli.main import answer


@pytest.fixture
def problem(write_problem: Any, tmp_path: Path) -> Path:
    path: Path = write_problem(tmp_path / "problem")
    return path


def test_one_document_and_a_picture(
    problem: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from provetune.study import splits_store

    saved: list[Any] = []
    save = splits_store.save_splits
    monkeypatch.setattr(
        splits_store, "save_splits", lambda folder, splits: saved.append(splits) or save(folder, splits)
    )
    picture = tmp_path / "curve.png"
    code = answer(["lr", str(problem), "--steps", "60", "--plot", str(picture), "--json"])
    document = json.loads(capsys.readouterr().out)
    assert document["candidate"] == "full"
    assert (code == 0) == (document["suggestion"] is not None)
    rates = [point["rate"] for point in document["points"]]
    assert rates == sorted(rates)
    assert rates[-1] <= 10
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert document["plot"] == str(picture)
    # No row of the test, and none of validation, was there to be read.
    (splits,) = saved
    assert splits.test.num_rows == 0
    assert set(splits.validation["row_id"].to_pylist()) <= set(splits.train["row_id"].to_pylist())
    # Nothing of it stays: no study, no ledger.
    assert not (problem.parent / ".provetune" / "studies").exists()
    assert not (problem.parent / ".provetune" / "ledger.sqlite").exists()
    assert not list((problem.parent / ".provetune" / "cache").glob("lr-*"))


def test_in_words_and_without_a_picture(problem: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer(["lr", str(problem), "--candidate", "full", "--steps", "20", "--no-plot"])
    shown = capsys.readouterr().out
    assert "'full'" in shown
    assert "▁" in shown
    assert not list(problem.parent.glob("*.png"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--candidate", "ful"], "Did you mean 'full'"),
        (["--candidate", "words"], "The method 'tfidf' of 'words' has no learning rate. Those that have one: full."),
        (["--steps", "5"], "A range test needs 20 steps or more. Got 5 instead."),
        (["--highest", "-1"], "The highest rate must be a positive number. Got -1 instead."),
        (["--plot", "curve.jpg"], "A picture ends in .png, .svg, .pdf. Got 'curve.jpg' instead."),
        (["--set", "candidates.full.optimiser=sdg"], "optimiser"),
    ],
)
def test_bad_input_is_refused_in_a_line(
    problem: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert answer(["lr", str(problem), *words]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert len(captured.err.strip().splitlines()) == 1


def test_a_problem_without_training_is_refused(
    write_problem: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_problem(tmp_path / "problem", candidates={"words": {"method": "tfidf"}})
    assert answer(["lr", str(path)]) == 2
    assert "No candidate of this problem trains step by step." in capsys.readouterr().err
