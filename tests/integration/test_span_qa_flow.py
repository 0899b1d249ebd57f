"""Questions from a file to answers: `init`, `check`, `run`, `report` and `predict`, with tiny random weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from provetune.cli.main import answer

RULES = Path(__file__).parents[2] / "examples" / "house_rules" / "questions.json"


@pytest.mark.slow
def test_from_a_file_to_answers(
    tmp_path: Path, tiny_backbone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from transformers import AutoModelForQuestionAnswering

    from provetune.models.loading import quiet_transformers

    monkeypatch.chdir(tmp_path)
    (tmp_path / "questions.json").write_text(RULES.read_text(encoding="utf-8"), encoding="utf-8")
    assert answer(["init", "questions.json"]) == 0
    problem = yaml.safe_load((tmp_path / "problem.yaml").read_text(encoding="utf-8"))
    assert problem["task"] == "span_qa"
    assert problem["data"]["columns"] == {
        "text": "question",
        "context": "context",
        "label": "answers",
        "group": "title",
    }

    problem["candidates"] = {
        "words": {"method": "word_overlap"},
        "full": {
            "method": "full",
            "backbone": str(tiny_backbone),
            "epochs": 1,
            "batch_rows": 16,
            "precision": "fp32",
            "max_length": 128,
        },
    }
    problem["claims"] = ["words > full", "full > words [no_answer_accuracy]"]
    problem["accept"] = {"f1": ">= 0.01"}
    problem["study"] = {"seeds": 1, "parallel": 1, "keep": "all"}
    (tmp_path / "problem.yaml").write_text(yaml.safe_dump(problem, sort_keys=False), encoding="utf-8")
    assert answer(["check", "problem.yaml"]) == 0
    assert answer(["run", "problem.yaml"]) == 0
    capsys.readouterr()
    assert answer(["report", "problem.yaml", "--json"]) == 0
    assert "answer_lengths" in capsys.readouterr().out

    passage = "The report was written by Ada Byron in 1843."
    for bundle in tmp_path.glob(".provetune/studies/*/trials/*-0/bundle"):
        asked = ["predict", str(bundle), "When was it written?", "--pair", passage, "--top-k", "3", "--json"]
        assert answer(asked) == 0
        (found,) = json.loads(capsys.readouterr().out)
        for one in (found, *found["answers"]):
            assert one["answer"] == ("" if one["start"] is None else passage[one["start"] : one["end"]])
            assert 0 <= one["score"] <= 1
        assert len(found["answers"]) == 3
    assert answer(["predict", str(bundle), "--input", "questions.json", "--output", "found.jsonl"]) == 0
    rows = [json.loads(line) for line in (tmp_path / "found.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 125
    assert all(row["answer"] == row["context"][row["start"] : row["end"]] for row in rows if row["answer"])
    (bundle,) = tmp_path.glob(".provetune/studies/*/trials/full-0/bundle")
    with quiet_transformers():
        assert type(AutoModelForQuestionAnswering.from_pretrained(bundle)).__name__ == "BertForQuestionAnswering"
