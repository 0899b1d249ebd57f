"""Retrieval from a raw file to found documents, by the command line alone."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from provetune.cli.main import answer

THINGS = ["lamp", "chair", "table", "shelf", "carpet", "mirror", "curtain", "pillow", "candle", "basket"]
DOINGS = {"clean": "wipe it with water", "return": "bring it to the desk", "repair": "send us a picture"}


def write_rows(folder: Path) -> None:
    """Every thing with every doing, twice asked; and pages about what nobody asks for."""
    rows = [
        {"question": f"{start} {doing} my {thing}", "document": f"{thing}: to {doing} it, {how}"}
        for thing in THINGS
        for doing, how in DOINGS.items()
        for start in ("how do i", "what must i do to")
    ]
    (folder / "questions.jsonl").write_text("\n".join(map(json.dumps, rows)))
    more = [{"document": f"{name}: nothing is known of it"} for name in ("boat", "horse", "kite")]
    (folder / "pages.jsonl").write_text("\n".join(map(json.dumps, more)))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, tiny_backbone: Path) -> Path:
    """The folder of a study that has run, with `problem.yaml` in it."""
    folder = tmp_path_factory.mktemp("retrieval")
    write_rows(folder)
    path = folder / "problem.yaml"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert answer(["init", "questions.jsonl", "--name", "things"]) == 0
        drafted = yaml.safe_load(path.read_text())
        assert drafted["task"] == "retrieval"
        assert drafted["data"]["columns"] == {"text": "question", "document": "document"}
        full = {"method": "full", "backbone": str(tiny_backbone), "epochs": 1, "batch_rows": 8, "precision": "fp32"}
        drafted["data"]["corpus"] = "pages.jsonl"
        drafted["options"] = {"mine": "bm25", "query_prefix": "ask: "}
        drafted["candidates"] = {"words": {"method": "bm25"}, "full": full}
        drafted["claims"] = ["full > words [mrr]"]
        drafted["accept"] = {"recall_at_5": ">= 0.5"}
        drafted["study"] = {"seeds": 1, "parallel": 1, "keep": "all"}
        path.write_text(yaml.safe_dump(drafted, sort_keys=False))
        assert answer(["run", "problem.yaml"]) == 0
    return folder


def bundle_of(study: Path, candidate: str) -> str:
    return str(next(study.glob(f".provetune/studies/*/trials/{candidate}-0/bundle")))


def told(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    capsys.readouterr()
    assert answer([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_check_and_report_speak_of_documents(
    study: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(study)
    found = told(capsys, "check", "problem.yaml")
    assert found["blocking"] == 0
    assert any("3 documents that queries may find" in note for note in found["notes"])
    assert answer(["report", "problem.yaml", "--open-test", "--html"]) == 0
    assert answer(["report", "problem.yaml", "--open-test"]) == 0
    assert "Place of the first right document" in capsys.readouterr().out


@pytest.mark.parametrize("candidate", ["words", "full"])
def test_a_corpus_is_searched(study: Path, candidate: str, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = study / "shelf.jsonl"
    corpus.write_text(
        "\n".join(json.dumps({"document": text}) for text in ("a boat in the sea", "a red lamp", "a horse"))
    )
    bundle = bundle_of(study, candidate)
    (found,) = told(capsys, "predict", bundle, "boat in the sea", "--corpus", str(corpus), "--top-k", "2")
    assert found["documents"][0] == {"document": found["document"], "score": found["score"]}
    assert len(found["documents"]) <= 2
    if candidate == "words":
        assert found["document"] == "a boat in the sea"
    assert answer(["predict", bundle, "boat in the sea", "--corpus", str(corpus)]) == 0
    assert capsys.readouterr().out.split("\t")[0] == found["document"]


def test_a_file_is_answered_with_documents(study: Path) -> None:
    (study / "asked.csv").write_text("question,id\nhow do i clean my lamp,1\nhow do i return my boat,2\n")
    target, corpus = study / "found.csv", str(study / "pages.jsonl")
    words = ["predict", bundle_of(study, "full"), "--input", str(study / "asked.csv"), "--output", str(target)]
    assert answer([*words, "--corpus", corpus, "--top-k", "1"]) == 0
    with target.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [row["id"] for row in rows] == ["1", "2"]
    assert all("nothing is known of it" in row["document"] for row in rows)


def test_without_a_corpus_there_are_vectors_or_the_documents_that_are_known(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (found,) = told(capsys, "predict", bundle_of(study, "full"), "how do i clean my lamp")
    assert sum(value * value for value in found["embedding"]) == pytest.approx(1, abs=1e-4)
    assert answer(["predict", bundle_of(study, "words"), "how do i clean my lamp"]) == 0
    assert capsys.readouterr().out.startswith("lamp: to clean it")


def test_a_bundle_that_finds_nothing_takes_no_corpus(
    study: Path, tmp_path: Path, write_problem: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    from provetune.study.run import run

    one = run(
        write_problem(tmp_path, candidates={"words": {"method": "tfidf"}}, study={"seeds": 1, "parallel": 1})
    ).best
    assert answer(["predict", one, "a", "--corpus", str(study / "pages.jsonl")]) == 2
    assert "finds no documents" in capsys.readouterr().err
