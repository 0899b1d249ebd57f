"""Ensembles and soups of other tasks than classification, what `plan` and `next` say of them, and stopping early."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from provetune.core.errors import ProblemFileError
from provetune.core.files import read_json
from provetune.inference.predictor import load
from provetune.problem.reading import read_problem
from provetune.study.members import members_of, with_members
from provetune.study.next.next_problem import Source, write_problem_text
from provetune.study.next.step import Change
from provetune.study.plan import plan_study
from provetune.study.problem_checks import baseline_of, problem_checks
from provetune.study.run import run

WriteProblem = Callable[..., Path]
WORDS = {"method": "tfidf"}
FEW = {"words": WORDS, "again": {"method": "tfidf", "C": 0.1}}


def write_numbers(folder: Path, **candidates: Any) -> Path:
    """Texts whose number is how often they say "good"."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["text,label"]
    for number in range(120):
        times = number % 5
        lines.append(f"{'good ' * times}thing {number},{times + 0.5}")
    (folder / "rows.csv").write_text("\n".join(lines) + "\n")
    problem = {
        "name": "numbers",
        "task": "regression",
        "language": "en",
        "data": {"train": "rows.csv", "columns": {"text": "text", "label": "label"}},
        "candidates": candidates,
        "study": {"seeds": 1, "parallel": 1, "keep": "all"},
    }
    path = folder / "problem.yaml"
    path.write_text(yaml.safe_dump(problem, sort_keys=False))
    return path


def test_numbers_are_averaged(tmp_path: Path) -> None:
    problem = write_numbers(tmp_path, **FEW, both={"method": "ensemble", "members": ["words", "again"]})
    found = run(problem).document["candidates"]
    alone = [load(found[name]["bundles"][0]) for name in ("words", "again")]
    texts = ["good good thing", "thing"]
    mean = np.mean([[row["value"] for row in each.predict(texts)] for each in alone], axis=0)
    said = load(found["both"]["bundles"][0], verify="golden").predict(texts)
    assert [row["value"] for row in said] == pytest.approx(mean)


def test_a_soup_of_numbers_averages_weights(tmp_path: Path, tiny_backbone: Path) -> None:
    full = {"method": "full", "backbone": str(tiny_backbone), "epochs": 1, "precision": "fp32", "evaluations": 1}
    problem = write_numbers(tmp_path, words=WORDS, full=full, mix={"method": "soup", "members": ["full"], "runs": 2})
    study = run(problem)
    weights = [load_weights(study.folder / f"trials/{place}/bundle") for place in ("full-0", "full-0/more/1", "mix-0")]
    for name, value in weights[2].items():
        np.testing.assert_allclose(value, (weights[0][name] + weights[1][name]) / 2, rtol=1e-5, atol=1e-6)


def load_weights(bundle: Path) -> dict[str, Any]:
    from safetensors.numpy import load_file

    found: dict[str, Any] = load_file(bundle / "model.safetensors")
    return found


def rows_of(task: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for number in range(60):
        name = ("Anna", "Paul", "Mia", "Tom")[number % 4]
        text = f"order {number} goes to {name} today"
        start = text.index(name)
        if task == "tagging":
            rows.append({"text": text, "label": [[start, start + len(name), "name"]]})
        elif task == "span_qa":
            asked = {"question": f"Who gets order {number}?", "context": text}
            rows.append({**asked, "answers": [{"text": name, "answer_start": start}]})
        else:
            rows.append({"question": f"Where does order {number} go?", "document": text})
    return rows


@pytest.mark.slow
@pytest.mark.parametrize("task", ["tagging", "span_qa", "retrieval"])
def test_a_soup_serves_what_its_members_serve(task: str, tmp_path: Path, tiny_backbone: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in rows_of(task)) + "\n")
    full = {"method": "full", "backbone": str(tiny_backbone), "epochs": 1, "precision": "fp32", "evaluations": 1}
    problem = {
        "name": "several",
        "task": task,
        "language": "en",
        "data": {"train": "rows.jsonl"},
        "candidates": {"full": full, "mix": {"method": "soup", "members": ["full"], "runs": 2, "greedy": True}},
        "study": {"seeds": 1, "parallel": 1, "keep": "all"},
    }
    path = tmp_path / "problem.yaml"
    path.write_text(yaml.safe_dump(problem, sort_keys=False))
    study = run(path)
    made = read_json(study.folder / "trials/mix-0/result.json")
    scores = [
        read_json(study.folder / f"trials/{place}/result.json")["scores"] for place in ("full-0", "full-0/more/1")
    ]
    assert len(made["details"]["kept"]) in (1, 2)
    assert made["scores"].keys() == scores[0].keys()
    load(study.folder / "trials/mix-0/bundle", verify="golden")


def test_texts_have_no_mean(tmp_path: Path) -> None:
    rows = '{"source": "a b", "target": "b"}\n' * 40
    (tmp_path / "rows.jsonl").write_text(rows)
    problem = {
        "name": "texts",
        "task": "seq2seq",
        "data": {"train": "rows.jsonl", "columns": {"text": "source", "label": "target"}},
        "candidates": {"lead": {"method": "lead"}, "both": {"method": "ensemble", "members": ["lead", "lead2"]}},
    }
    path = tmp_path / "problem.yaml"
    path.write_text(yaml.safe_dump(problem))
    with pytest.raises(ProblemFileError, match="The method 'ensemble' does not suit the task 'seq2seq'"):
        read_problem(path, checks=problem_checks(), baseline_of=baseline_of)


def write_words(write_problem: WriteProblem, folder: Path, **sections: Any) -> Path:
    path = write_problem(folder, **sections)
    document = yaml.safe_load(path.read_text())
    for candidate in document["candidates"].values():
        if candidate["method"] == "ensemble":
            candidate.pop("backbone", None)
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path


SHARES = {
    "words": WORDS,
    "half": {"method": "tfidf", "data": {"share": 0.5}},
    "halves": {"method": "ensemble", "members": ["half"], "runs": 2},
    "all": {"method": "ensemble", "members": ["halves", "words"]},
}


def test_stopping_early_trains_the_members_of_what_is_still_open(tmp_path: Path, write_problem: WriteProblem) -> None:
    study = {"seeds": 10, "parallel": 1, "stop_early": True, "keep": "all"}
    problem = write_words(write_problem, tmp_path, candidates=SHARES, claims=["halves ~ half ± 0.0001"], study=study)
    done = run(problem)
    ended = {path.parent.name for path in done.folder.glob("trials/*/result.json")}
    assert "halves-9" in ended
    assert "half-9" in ended
    members = read_json(done.folder / "trials/halves-9/result.json")["details"]["members"]
    assert members == ["half-9", "half-9.1"]


def test_made_of_what_is_made_of_others(tmp_path: Path, write_problem: WriteProblem) -> None:
    """(mean of the halves + words) / 2, each calibrated by itself."""
    study = {"seeds": 1, "parallel": 1, "keep": "all"}
    done = run(write_words(write_problem, tmp_path, candidates=SHARES, study=study))
    texts = ["my parcel is late", "refund please"]
    bundles = {name: load(done.folder / f"trials/{name}-0/bundle") for name in ("halves", "words", "all")}
    mean = (bundles["halves"].probabilities(texts) + bundles["words"].probabilities(texts)) / 2
    temperature = read_json(done.folder / "trials/all-0/result.json")["temperature"]
    expected = mean ** (1 / temperature) / (mean ** (1 / temperature)).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(bundles["all"].probabilities(texts), expected, atol=1e-9)


def test_the_plan_counts_what_is_trained_for_an_ensemble_alone(tmp_path: Path, write_problem: WriteProblem) -> None:
    candidates = {**SHARES, "halves": {"method": "ensemble", "members": ["half"], "runs": 3}}
    costs = plan_study(write_words(write_problem, tmp_path, candidates=candidates))["trials"]
    assert costs["halves"]["seconds"] == pytest.approx(2 * costs["half"]["seconds"], abs=0.02)
    # Its own bundle holds three models, and the two further ones leave theirs.
    assert costs["halves"]["bundle_bytes"] == (3 + 2) * costs["half"]["bundle_bytes"]
    assert costs["all"]["seconds"] == 0


def test_next_keeps_what_a_candidate_is_made_of(tmp_path: Path, write_problem: WriteProblem) -> None:
    path = write_words(write_problem, tmp_path, candidates=SHARES)
    problem = read_problem(path, checks=problem_checks(), baseline_of=baseline_of).problem
    assert members_of(problem.candidates["all"]) == ("halves", "words")
    assert with_members(["halves"], problem.candidates) == {"halves", "half"}
    text = write_problem_text(Source(path, path.read_text(), problem), Change(("halves",), ()), None, tmp_path)
    assert list(yaml.safe_load(text)["candidates"]) == ["half", "halves"]
