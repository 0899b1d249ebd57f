"""Rows that cannot be used: told with their places, set aside on demand, never dropped without a trace."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from provetune.cli.main import answer
from provetune.core.errors import DataError
from provetune.study.run import run

GOOD = [f'{{"text": "row {number} of {word}", "score": "{value}"}}' for number in range(30) for word, value in (
    ("good", 0.5 + number / 100), ("bad", -0.5 - number / 100))]  # fmt: skip


def write_problem(folder: Path) -> Path:
    rows = [*GOOD[:20], '{"text": "row of neither", "score": "about three"}', *GOOD[20:], '{"text": "", "score": "1"}']
    (folder / "rows.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    problem = folder / "problem.yaml"
    problem.write_text(
        "name: numbers\ntask: regression\nlanguage: en\ndata:\n  train: rows.jsonl\n"
        "  columns: {text: text, label: score}\nstudy: {seeds: 1, parallel: 1}\n",
        encoding="utf-8",
    )
    return problem


def test_a_bad_row_stops_everything_and_says_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    problem = write_problem(tmp_path)
    with pytest.raises(DataError, match=r"score.*about three") as caught:
        run(problem)
    assert "row 21" in str(caught.value.where)
    assert answer(["check", str(problem), "--json"]) == 1
    bad = next(one for one in json.loads(capsys.readouterr().out)["findings"] if one["kind"] == "bad_row")
    assert (bad["count"], bad["severity"], bad["rows"][0]["row"]) == (1, "blocking", 21)


def test_check_sets_them_aside_into_a_file(tmp_path: Path) -> None:
    problem = write_problem(tmp_path)
    assert answer(["check", str(problem), "--skip-bad"]) == 0
    lines = [json.loads(line) for line in (tmp_path / "problem.set_aside.jsonl").read_text("utf-8").splitlines()]
    assert [line["row"] for line in lines] == [21, 62]
    assert "about three" in lines[0]["reason"]
    assert lines[0]["cells"] == {"text": "row of neither", "score": "about three"}
    assert lines[1]["reason"] == "no text"


def test_run_sets_them_aside_beside_the_study(tmp_path: Path) -> None:
    study = run(write_problem(tmp_path), overrides=["data.skip_bad=true"])
    kept = [json.loads(line) for line in (study.folder / "set_aside.jsonl").read_text("utf-8").splitlines()]
    assert [line["row"] for line in kept] == [21, 62]
    assert study.candidates["words"]["metrics"]
