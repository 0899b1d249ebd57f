"""Relations from a file to predictions: `init`, `check`, `run`, `report` and `predict`, with tiny random weights."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import yaml

from provetune.cli.main import answer

NOTES = Path(__file__).parents[2] / "examples" / "company_relations" / "notes.csv"


@pytest.mark.slow
def test_from_a_file_to_relations(
    tmp_path: Path, tiny_backbone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    broken = 'The <e1>storm</e1> is not over,other\n"<e1>Bea</e1> met <e2>Bo</e2>",other\n'
    (tmp_path / "notes.csv").write_text(NOTES.read_text(encoding="utf-8") + broken, encoding="utf-8")
    assert answer(["init", "notes.csv"]) == 0
    problem = yaml.safe_load((tmp_path / "problem.yaml").read_text(encoding="utf-8"))
    assert problem["task"] == "relation"
    assert problem["data"]["columns"] == {"text": "note", "label": "relation"}

    common = {"backbone": str(tiny_backbone), "epochs": 1, "batch_rows": 8, "precision": "fp32", "max_length": 48}
    problem["candidates"] = {
        "words": {"method": "tfidf"},
        "full": {"method": "full", **common},
        "lora": {"method": "lora", "rank": 2, **common},
    }
    problem["claims"] = ["full > words - 0.9", 'lora > words [f1:"owns(e1,e2)"]']
    problem["accept"] = {"macro_f1": ">= 0.01", "undirected_macro_f1": ">= 0.01"}
    problem["study"] = {"seeds": 1, "parallel": 1, "keep": "all"}
    (tmp_path / "problem.yaml").write_text(yaml.safe_dump(problem, sort_keys=False), encoding="utf-8")
    assert answer(["check", "problem.yaml"]) == 1
    assert "note: <e2> is missing" in " ".join(capsys.readouterr().out.split())
    assert answer(["check", "problem.yaml", "--skip-bad"]) == 0
    assert answer(["run", "problem.yaml", "--skip-bad"]) == 0
    capsys.readouterr()

    assert answer(["report", "problem.yaml", "--json"]) == 0
    assert "wrong way round" in capsys.readouterr().out
    (bundle,) = tmp_path.glob(".provetune/studies/*/trials/full-0/bundle")
    for text in ("The <e1>storm</e1> hit <e2>Cork</e2>.", "The [E1] storm [/E1] hit <e2> Cork </e2> ."):
        assert answer(["predict", str(bundle), text, "--json"]) == 0
        (found,) = json.loads(capsys.readouterr().out)
        assert {"label", "score"} <= set(found)
    assert answer(["predict", str(bundle), "The storm hit Cork."]) == 2
    assert "No entities are marked" in capsys.readouterr().err
    assert answer(["predict", str(bundle), "--input", str(NOTES), "--output", "found.csv"]) == 0
    with (tmp_path / "found.csv").open(encoding="utf-8", newline="") as lines:
        assert all(row["label"] and 0 < float(row["score"]) <= 1 for row in csv.DictReader(lines))
