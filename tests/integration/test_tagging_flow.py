"""Tagging from a file to predictions: `init`, `check`, `run`, `report` and `predict`, with tiny random weights."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from provetune.cli.main import answer
from provetune.models.loading import load_model
from provetune.tasks import TASKS

NOTES = Path(__file__).parents[2] / "examples" / "workshop_notes" / "notes.jsonl"


@pytest.mark.slow
def test_from_a_file_to_spans(
    tmp_path: Path, tiny_backbone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.jsonl").write_text(NOTES.read_text(encoding="utf-8"), encoding="utf-8")
    assert answer(["init", "notes.jsonl"]) == 0
    problem = yaml.safe_load((tmp_path / "problem.yaml").read_text(encoding="utf-8"))
    assert problem["task"] == "tagging"
    assert problem["data"]["columns"] == {"text": "note", "label": "spans"}

    common = {"backbone": str(tiny_backbone), "epochs": 1, "batch_rows": 8, "precision": "fp32", "max_length": 32}
    problem["candidates"] = {
        "features": {"method": "token_features"},
        "full": {"method": "full", **common},
        "lora": {"method": "lora", "rank": 2, **common},
    }
    problem["claims"] = ["full > features - 0.9", "lora > features [f1:person]"]
    problem["accept"] = {"micro_f1": ">= 0.01", "recall:day": ">= 0.01"}
    problem["study"] = {"seeds": 1, "parallel": 1, "keep": "all"}
    (tmp_path / "problem.yaml").write_text(yaml.safe_dump(problem, sort_keys=False), encoding="utf-8")
    assert answer(["check", "problem.yaml"]) == 0
    assert answer(["run", "problem.yaml"]) == 0
    capsys.readouterr()

    assert answer(["report", "problem.yaml", "--json"]) == 0
    assert "spans_by_label" in capsys.readouterr().out
    text = "Hanna Brandt pays 38 euros for the chain on Friday."
    assert answer(["predict", "problem.yaml", text, "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert all(text[span["start"] : span["end"]] == span["text"] for span in found["spans"])
    assert answer(["predict", "problem.yaml", "--input", "notes.jsonl", "--output", "found.jsonl"]) == 0
    rows = [json.loads(line) for line in (tmp_path / "found.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 100
    assert all({"start", "end", "text", "label", "score"} == set(one) for row in rows for one in row["predicted_spans"])


def test_models_know_their_tags_by_name(tiny_backbone: Path) -> None:
    """The configuration names every BIO tag, so that other tools show them."""
    span = pa.list_(pa.struct([("start", pa.int32()), ("end", pa.int32()), ("label", pa.string())]))
    rows = pa.table({"text": ["Bo"], "label": pa.array([[{"start": 0, "end": 2, "label": "person"}]], span)})
    task = TASKS.get("tagging")
    model = load_model(str(tiny_backbone), task.auto_class, task.head(task.targets(rows)), seed=0)
    assert model.config.id2label == {0: "O", 1: "B-person", 2: "I-person"}
    assert type(model).__name__ == "BertForTokenClassification"
