"""Studies of tasks whose labels are no classes, made by hand: numbers, spans, and texts that mean harm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa

from provetune.core.files import write_json, write_text
from provetune.core.protocols import Targets
from provetune.evaluation.outcomes import write_outcomes
from provetune.problem.reading import dump_resolved
from provetune.problem.syntax import Candidate, Columns, Data, Problem, StudySection
from provetune.study.splits_store import save_splits
from provetune.tasks import TASKS

NUMBERS = [1000.0, 1500.0, 2000.0, 2500.0, 3000.0, 9000.0]
HOUSES = [f"house number {number} <b>by the sea</b>" for number in range(6)]
SPAN = pa.struct([("start", pa.int32()), ("end", pa.int32()), ("label", pa.string())])
PLACES = ["Anna in Lyon", "Paul & <i>Bo</i>", "nobody here"]
GOLD_SPANS = [[(0, 4, "name"), (8, 12, "city")], [(0, 4, "name")], []]
SPAN_TARGETS = Targets("spans", ("city", "name"), (1, 2))


def number_study(folder: Path, said: Mapping[str, Sequence[Sequence[float]]]) -> Path:
    """A regression study: each run of each candidate says these numbers of `HOUSES`."""
    rows = pa.table({"row_id": _ids(HOUSES), "text": HOUSES, "label": NUMBERS, **_places(HOUSES)})
    targets = Targets("regression", ("value",), (6,), options={"loss": "squared"}, tuned={"mean": [0], "scale": [1]})
    outcomes = {
        name: [
            pa.table({"row_id": _ids(HOUSES), "label": NUMBERS, "prediction": list(map(float, run))}) for run in runs
        ]
        for name, runs in said.items()
    }
    return make_study(folder, "regression", "r2", targets, rows, outcomes)


def span_outcomes(found: Sequence[Sequence[tuple[int, int, str]]], scores: float = 0.9) -> pa.Table:
    """Outcomes of `PLACES` with these spans found, as tagging keeps them."""
    from provetune.tasks.tagging.outcomes import build_outcomes

    flat = [span for row in found for span in row]
    offsets = np.cumsum([0, *map(len, found)])
    answers = SimpleNamespace(
        spans=lambda targets: [list(row) for row in found],
        rows=lambda: [range(a, b) for a, b in pairwise(offsets)],
        scores=np.full(len(flat), scores),
    )
    return build_outcomes(span_rows(), answers, SPAN_TARGETS)  # type: ignore[arg-type]


def span_rows() -> pa.Table:
    """`PLACES` with their gold spans."""
    cells = [[{"start": a, "end": b, "label": label} for a, b, label in row] for row in GOLD_SPANS]
    return pa.table(
        {"row_id": _ids(PLACES), "text": PLACES, "label": pa.array(cells, pa.list_(SPAN)), **_places(PLACES)}
    )


def span_study(folder: Path, found: Mapping[str, Sequence[Sequence[tuple[int, int, str]]]]) -> Path:
    """A tagging study of one run a candidate, which finds these spans in `PLACES`."""
    outcomes = {name: [span_outcomes(rows)] for name, rows in found.items()}
    return make_study(folder, "tagging", "micro_f1", SPAN_TARGETS, span_rows(), outcomes)


def _ids(texts: Sequence[str]) -> list[str]:
    return [f"r{number}" for number in range(len(texts))]


def _places(texts: Sequence[str]) -> dict[str, Any]:
    channel = ["phone" if number % 2 else "mail" for number in range(len(texts))]
    where = {"_file": ["a.csv"] * len(texts), "_row": list(range(2, len(texts) + 2))}
    return {**where, "raw.channel": channel, "raw.region": channel}


def make_study(
    folder: Path,
    task: str,
    metric: str,
    targets: Targets,
    rows: pa.Table,
    outcomes: Mapping[str, Sequence[pa.Table]],
) -> Path:
    """A study of any task: `rows` are those of every split, `outcomes` those of each candidate's runs."""
    seeds = max(len(runs) for runs in outcomes.values())
    asked = Problem(
        name="measured",
        task=task,
        language="en",
        data=Data(train="rows.csv", columns=Columns(text="text", label="label", group="region")),
        candidates={name: Candidate(method="full", backbone="tiny") for name in outcomes},
        claims=[],
        study=StudySection(seeds=seeds),
    )
    write_text(folder / "problem.yaml", dump_resolved(asked))
    hashes = {"train": "c" * 64, "validation": "d" * 64, "test": "e" * 64}
    save_splits(folder, SimpleNamespace(train=rows, validation=rows, test=rows, hashes=hashes))  # type: ignore[arg-type]
    resolved = {
        "study_id": folder.name,
        "name": asked.name,
        "problem_path": "problem.yaml",
        "task": task,
        "metric": metric,
        "targets": targets.to_json(),
        "backbones": {name: {"name": "tiny", "content_hash": "f" * 64} for name in outcomes},
        "settings": {},
        "notes": [],
        "splits": hashes,
        "data_hash": "1" * 64,
        "code_hash": "2" * 64,
        "code_version": "0.1.0",
        "packages": {},
        "machine": {},
    }
    write_json(folder / "resolved.json", resolved)
    for name, runs in outcomes.items():
        for k, table in enumerate(runs):
            place = folder / "trials" / f"{name}-{k}"
            place.mkdir(parents=True)
            write_outcomes(place / "validation.parquet", table)
            score = TASKS.get(task).score(table, targets)[metric]
            events = [
                f'{{"event": "step", "step": {step}, "loss": {9000.0 / step}, "learning_rate": 0.1}}\n'
                f'{{"event": "evaluated", "step": {step}, "scores": {{"{metric}": {score}}}, "best": true}}\n'
                for step in (1, 2)
            ]
            (place / "events.jsonl").write_text("".join(events))
            write_json(place / "result.json", {"candidate": name, "k": k, "seed": k, "scores": {}, "seconds": 1.0})
    return folder
