"""`provetune plan` at the command line: a table, or one JSON document, and nothing trained."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from provetune.cli.main import answer


@pytest.fixture
def problem(tmp_path: Path) -> Path:
    lines = ["text,label"]
    for number in range(120):
        lines.append(
            f"{'refund please' if number % 2 else 'where is it'} {number},{'money' if number % 2 else 'parcel'}"
        )
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
    content = {
        "name": "support",
        "language": "en",
        "data": {"train": "rows.csv"},
        "candidates": {"words": {"method": "tfidf"}, "half": {"method": "tfidf", "data": {"share": 0.5}}},
        "claims": ["half >= words - 0.01", "half < words [latency_p95_ms]"],
        "study": {"parallel": 1},
    }
    path = tmp_path / "problem.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_json_is_one_document(problem: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(["plan", str(problem), "--no-measure", "--json", "--set", "study.seeds=7"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [claim["seeds"] for claim in document["claims"]] == [7, 7]
    assert document["total"]["processes"] == 1
    assert not (problem.parent / ".provetune" / "studies").exists()
    assert not (problem.parent / ".provetune" / "ledger.sqlite").exists()


def test_the_table_names_what_is_weak_and_what_is_not_known(problem: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(["plan", str(problem), "--no-measure", "--workspace", str(problem.parent / "elsewhere")]) == 0
    shown = capsys.readouterr().out
    assert "84 training, 12 validation and 24 test rows" in shown
    assert "half >= words - 0.01" in shown
    assert "prior" in shown
    assert "underpowered" in shown
    assert "20 blocks" in shown
    assert "not known yet" in shown
    assert (problem.parent / "elsewhere").is_dir()
    assert not (problem.parent / ".provetune").exists()


def test_one_seed_is_told_beforehand(problem: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wide = ["--set", 'claims=["half >= words - 0.2"]', "--set", "data.split.test=0.6"]
    assert answer(["plan", str(problem), "--no-measure", "--set", "study.seeds=1", *wide]) == 0
    assert "cannot be decided: 3 seeds" in " ".join(capsys.readouterr().out.split())


def test_a_metric_that_is_not_there_is_refused_in_one_line(problem: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(["plan", str(problem), "--set", 'claims=["half > words [acuracy]"]']) == 2
    assert "accuracy" in capsys.readouterr().err
