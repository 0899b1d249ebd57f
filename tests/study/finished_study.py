"""A study's folder as a run leaves it, made by hand: two candidates, two runs each, no training."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa

from provetune.core.files import write_json, write_text
from provetune.evaluation.outcomes import build_outcomes, write_outcomes
from provetune.problem.reading import dump_resolved
from provetune.problem.syntax import Candidate, Data, Problem, StudySection
from provetune.study.splits_store import save_splits

LABELS = ("a", "b")
GOLD = ("a", "a", "a", "b", "b", "b", "b", "b")
TEMPERATURE = 2.0
EVENTS = (
    {"event": "started", "step": 0, "steps": 4},
    {"event": "step", "step": 1, "loss": 0.9, "learning_rate": 0.1},
    {"event": "step", "step": 2, "loss": 0.5, "learning_rate": 0.05},
    {"event": "evaluated", "step": 2, "scores": {"accuracy": 0.75}, "best": True},
    {"event": "stopped", "step": 2, "reason": "no better score"},
)


def problem(**changes: Any) -> Problem:
    base = {
        "name": "letters",
        "language": "en",
        "data": Data(train="letters.csv"),
        "candidates": {"words": Candidate(method="tfidf"), "full": Candidate(method="full", backbone="tiny")},
        "claims": ["full > words"],
        "study": StudySection(seeds=2),
    }
    return Problem(**{**base, **changes})


def outcomes(said: Sequence[str], gold: Sequence[str] = GOLD, sure: float = 0.8) -> pa.Table:
    """Outcomes of rows whose predicted label has probability `sure`."""
    probabilities = np.array([[sure, 1 - sure] if label == "a" else [1 - sure, sure] for label in said])
    return build_outcomes([f"r{n}" for n in range(len(said))], list(gold), list(said), probabilities)


def make_study(
    folder: Path,
    said: Mapping[str, Sequence[Sequence[str]]],
    *,
    asked: Problem | None = None,
    finished: bool = True,
    test_hash: str = "e" * 64,
) -> Path:
    """Write a study into `folder`.

    Args:
        said: for each candidate, what each of its runs predicts for the eight rows of `GOLD`.
        finished: whether the test is open; its outcomes are those of validation.
    """
    asked = asked or problem()
    write_text(folder / "problem.yaml", dump_resolved(asked))
    table = pa.table({"row_id": [f"r{n}" for n in range(len(GOLD))], "label": list(GOLD)})
    hashes = {"train": "c" * 64, "validation": "d" * 64, "test": test_hash}
    save_splits(folder, SimpleNamespace(train=table, validation=table, test=table, hashes=hashes))  # type: ignore[arg-type]
    write_json(folder / "resolved.json", _resolved(folder, asked, hashes))
    for name, runs in said.items():
        for k, predictions in enumerate(runs):
            _write_trial(folder / "trials" / f"{name}-{k}", name, k, predictions, finished)
    if finished:
        write_json(folder / "study.json", _document(folder, said))
    return folder


def _write_trial(place: Path, name: str, k: int, predictions: Sequence[str], finished: bool) -> None:
    place.mkdir(parents=True)
    write_outcomes(place / "validation.parquet", outcomes(predictions))
    if finished:
        write_outcomes(place / "test.parquet", outcomes(predictions))
    (place / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in EVENTS))
    result = {"candidate": name, "k": k, "seed": 7 + k, "scores": {}, "seconds": 1.5, "temperature": TEMPERATURE}
    write_json(place / "result.json", {**result, "details": {"steps": 2}})
    write_text(place / "bundle" / "weights", "w" * 1000)


def _resolved(folder: Path, asked: Problem, hashes: Mapping[str, str]) -> dict[str, Any]:
    return {
        "study_id": folder.name,
        "name": asked.name,
        "problem_path": "problem.yaml",
        "task": "classification",
        "metric": "accuracy",
        "targets": {"kind": "single_label", "names": list(LABELS), "counts": [3, 5], "out_of_scope": None},
        "backbones": {"words": None, "full": {"name": "tiny", "content_hash": "f" * 64}},
        "settings": {},
        "notes": ["The texts are in 'en'."],
        "splits": dict(hashes),
        "data_hash": "1" * 64,
        "code_hash": "2" * 64,
        "code_version": "0.1.0",
        "packages": {"torch": "2"},
        "machine": {"threads_per_trial": 1},
    }


def _document(folder: Path, said: Mapping[str, Sequence[Sequence[str]]]) -> dict[str, Any]:
    return {
        "format_version": 1,
        "study": folder.name,
        "candidates": {
            name: {"metrics": {}, "bundles": [f"trials/{name}-{k}/bundle" for k in range(len(runs))], "seconds": 3.0}
            for name, runs in said.items()
        },
        "best": {"candidate": "full", "bundle": "trials/full-0/bundle"},
        "accept": [{"metric": "accuracy", "required": ">= 0.5", "value": 0.9, "bound": 0.7, "met": True}],
        "claims": [{"claim": "full > words", "verdict": None}],
    }
