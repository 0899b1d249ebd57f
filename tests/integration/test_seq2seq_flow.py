"""Seq2seq from a file to texts: `init`, `check`, `run`, `report` and `predict`, with a tiny random model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from tiny_seq2seq import write_family

from provetune.cli.main import answer

TIMES = Path(__file__).parents[2] / "examples" / "spoken_times" / "times.csv"


@pytest.mark.slow
def test_from_a_file_to_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    monkeypatch.chdir(tmp_path)
    lines = TIMES.read_text(encoding="utf-8").splitlines(keepends=True)[1:121]
    cut = ["source,target\n", *lines, "nothing is wanted for this,\n", "the same,the same\n"]
    (tmp_path / "times.csv").write_text("".join(cut), encoding="utf-8")
    write_family("t5", tmp_path / "model")
    assert answer(["init", "times.csv"]) == 0
    problem = yaml.safe_load((tmp_path / "problem.yaml").read_text(encoding="utf-8"))
    assert problem["task"] == "seq2seq"
    assert problem["data"]["columns"] == {"text": "source", "label": "target"}
    assert problem["candidates"]["full"]["backbone"] == "path/to/model"

    common = {"backbone": "./model", "epochs": 1, "batch_rows": 16, "precision": "fp32", "max_length": 48}
    problem["options"] = {"beams": 2, "max_target_length": 12}
    problem["candidates"] = {
        "full": {"method": "full", "learning_rate": 0.003, **common},
        "lora": {"method": "lora", "rank": 2, **common},
        "lead": {"method": "lead"},
    }
    problem["claims"] = ["full > baseline + 1", "lora >= full - 50 [bleu]"]
    problem["accept"] = {"chrf": ">= 1", "rougeL": ">= 0.01"}
    problem["study"] = {"seeds": 1, "parallel": 1, "keep": "all"}
    (tmp_path / "problem.yaml").write_text(yaml.safe_dump(problem, sort_keys=False), encoding="utf-8")
    capsys.readouterr()
    assert answer(["check", "problem.yaml", "--json"]) == 0
    kinds = {finding["kind"]: finding["count"] for finding in json.loads(capsys.readouterr().out)["findings"]}
    assert kinds["same_both_sides"] == 1
    assert kinds["missing_label"] == 1
    assert kinds["truncated_target"] > 50
    assert answer(["run", "problem.yaml"]) == 0
    capsys.readouterr()

    assert answer(["report", "problem.yaml", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    tables = {table["name"] for table in report["candidates"]["full"]["tables"]}
    assert {"signatures", "cut"} <= tables
    assert answer(["report", "problem.yaml", "--html", "page.html"]) == 0
    capsys.readouterr()

    texts = ["at half past six on monday", "friday at noon"]
    assert answer(["predict", "problem.yaml", *texts, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [set(one) for one in found] == [{"text", "score"}] * 2
    (bundle,) = tmp_path.glob(".provetune/studies/*/trials/full-0/bundle")
    tokenizer, model = AutoTokenizer.from_pretrained(bundle), AutoModelForSeq2SeqLM.from_pretrained(bundle)
    again = json.loads(_asked(["predict", str(bundle), *texts, "--json"], capsys))
    written = [model.generate(**tokenizer(text, return_tensors="pt"))[0] for text in texts]
    assert [one["text"] for one in again] == [
        tokenizer.decode(ids, skip_special_tokens=True).strip() for ids in written
    ]
    assert len(list(tmp_path.glob(".provetune/**/outputs-*.npz"))) >= 3


def _asked(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert answer(words) == 0
    return capsys.readouterr().out
