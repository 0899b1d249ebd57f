"""`provetune next` on the line: a document, files that can be run, and one line where something is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from provetune.cli.main import answer

WriteProblem = Callable[..., Path]


@pytest.fixture(scope="module")
def problem(tmp_path_factory: pytest.TempPathFactory, write_problem: WriteProblem) -> Path:
    path = write_problem(
        tmp_path_factory.mktemp("verb"),
        candidates={"words": {"method": "tfidf"}},
        claims=["words >= 0.99"],
        study={"seeds": 1, "parallel": 1},
    )
    assert answer(["run", str(path), "-q"]) == 0
    return path


def test_steps_are_shown_with_the_line_that_tests_them(problem: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(["next", str(problem), "--top", "2"]) == 0
    shown = capsys.readouterr()
    assert "1. " in shown.out
    assert "provetune run " in shown.out
    assert "expected " in shown.out
    assert "Looking for doubtful labels" in shown.err


def test_json_is_one_document_and_its_files_run(
    problem: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert answer(["next", str(problem), "--json", "--no-probe", "--output", str(tmp_path / "out")]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["metric"] == "accuracy"
    assert document["study"].startswith("support-")
    (first, *_) = [step for step in document["steps"] if step["kind"] == "more_labels"]
    assert Path(first["problem"]).parent == tmp_path / "out"
    assert answer(["run", first["problem"], "-q", "--json", "--workspace", str(tmp_path / "space")]) == 0
    ran = json.loads(capsys.readouterr().out)
    assert [claim["claim"] for claim in ran["claims"]] == [first["claim"]]


def test_before_a_study_it_says_what_to_run(
    tmp_path: Path, write_problem: WriteProblem, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_problem(tmp_path)
    assert answer(["next", str(path)]) == 2
    assert "provetune run" in capsys.readouterr().err
