"""Real sets with a handicap, and `next` followed for two rounds as a person would who asks nothing.

The handicaps, fixed before anything was run: clinc150 with a tenth of its training rows and `head`; sst2 with 1,500
rows and `full` at a fiftieth of its usual learning rate; waimai_zh with 4,000 rows, a fifth of whose training and
validation labels are flipped, and `tfidf`. What a step needs from a person is done from what was held back: rows are
labelled by adding as many of them, doubtful labels are set right from the file that was not flipped. Test files are
never touched.
"""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness import DATA

from provetune import run
from provetune.core.files import read_json, write_json, write_text
from provetune.data.reading import read_table
from provetune.data.row_ids import row_ids
from provetune.study.corrections import CORRECTED, ROW_ID
from provetune.study.next.proposals import propose_next

ROUNDS = 2
SEED = 20_170_604
Row = tuple[str, str]

HANDICAPS: dict[str, dict[str, Any]] = {
    "clinc150": {
        "language": "en",
        "rows": 0.1,
        "candidates": {"words": {"method": "tfidf"}, "head": {"backbone": "auto", "method": "head"}},
        "claims": ["head > words"],
    },
    "sst2": {
        "language": "en",
        "rows": 1500,
        "candidates": {
            "words": {"method": "tfidf"},
            "full": {"backbone": "auto", "method": "full", "learning_rate": 4e-6},
        },
        "claims": ["full > words"],
    },
    "waimai_zh": {
        "language": "zh",
        "rows": 4000,
        "flipped": 0.2,
        "candidates": {"words": {"method": "tfidf"}},
        "claims": ["words >= 0.85"],
    },
}


def follow(name: str, workspace: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Run the handicapped problem, then the first step of `next` twice; each study is resumed where it was cut off.

    Returns:
        ``start`` and ``rounds``: of each the step, its gain as expected, and the claim as judged on the sealed test.
    """
    folder = workspace / name
    truth = _prepare(name, folder)
    path = folder / "problem.yaml"
    say(f"{name}: the handicapped problem")
    study = run(path)
    start = {"best": study.document["best"], "metrics": _scores(study.document)}
    rounds = []
    for number in range(1, ROUNDS + 1):
        kept = folder / f"round-{number}.json"
        if not kept.exists():
            document = propose_next(path, study.folder, top=1)
            steps = [step for step in document["steps"] if step["problem"] is not None]
            if not steps:
                break
            _act(steps[0], folder, truth)
            write_json(kept, steps[0])
        step = read_json(kept)
        say(f"{name}, round {number}: {step['title']}")
        path = Path(step["problem"])
        study = run(path)
        judged = study.claims[0]
        rounds.append(
            {
                "kind": step["kind"],
                "title": step["title"],
                "expected": step["gain"],
                "expected_interval": step["gain_interval"],
                **{key: judged[key] for key in ("claim", "verdict", "effect", "interval", "p_holm", "words")},
                "metrics": _scores(study.document),
            }
        )
    return {"start": start, "rounds": rounds}


def _prepare(name: str, folder: Path) -> dict[str, Any]:
    """Write the handicapped problem and its files, once; what was held back and what labels were flipped."""
    kept = folder / "truth.json"
    if kept.exists():
        found: dict[str, Any] = read_json(kept)
        return found
    handicap = HANDICAPS[name]
    train, validation, test = _splits(name)
    wanted = handicap["rows"]
    count = round(wanted * len(train)) if isinstance(wanted, float) else wanted
    used, held_back = train[:count], train[count:]
    right = [label for _, label in used]
    flipped = _flip(used, handicap.get("flipped", 0.0))
    folder.mkdir(parents=True, exist_ok=True)
    for split, rows in (("train", flipped), ("validation", validation), ("test", test)):
        _write_rows(folder / f"{split}.csv", rows)
    ids = row_ids(read_table("train.csv", base=folder)).to_pylist()
    problem = {
        "name": f"next-{name}",
        "language": handicap["language"],
        "data": {
            "train": "train.csv",
            "validation": "validation.csv",
            "test": "test.csv",
            "columns": {"text": "text", "label": "label"},
        },
        "candidates": handicap["candidates"],
        "claims": handicap["claims"],
        "study": {"seeds": 3},
    }
    write_text(folder / "problem.yaml", json.dumps(problem, ensure_ascii=False, indent=2) + "\n")
    truth = {"held_back": held_back, "labels": dict(zip(ids, right, strict=True))}
    write_json(kept, truth)
    return truth


def _act(step: Mapping[str, Any], folder: Path, truth: Mapping[str, Any]) -> None:
    """What a person does before the step's problem file is run."""
    details = step["details"]
    if step["kind"] == "more_labels" and details.get("rows_then"):
        added = details["rows_then"] - details["rows"]
        known = {tuple(row) for row in _read_rows(folder / "train.csv")}
        fresh = [tuple(row) for row in truth["held_back"] if tuple(row) not in known][:added]
        _write_rows(folder / "train.csv", [*_read_rows(folder / "train.csv"), *fresh])
    if step["kind"] == "clean_labels":
        table = Path(details["table"])
        with table.open(encoding="utf-8-sig", newline="") as stream:
            lines = list(csv.DictReader(stream))
        for line in lines:
            line[CORRECTED] = truth["labels"][line[ROW_ID]]
        with table.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, list(lines[0]))
            writer.writeheader()
            writer.writerows(lines)


def _splits(name: str) -> tuple[list[Row], list[Row], list[Row]]:
    """Training, validation and test rows, the training rows in a seeded order."""
    if name == "clinc150":
        found = [_columns(DATA / name / f"{split}.csv", "text", "intent") for split in ("train", "val", "test")]
    elif name == "sst2":
        found = [_lines(DATA / name / f"{split}.jsonl") for split in ("train", "dev", "test")]
    else:
        rows = _columns(DATA / name / "waimai_10k.csv", "review", "label")
        random.Random(SEED).shuffle(rows)
        test, validation = len(rows) // 5, len(rows) // 10
        found = [rows[test + validation :], rows[test : test + validation], rows[:test]]
        # A fifth of the validation labels is wrong too: nobody has clean ones for choosing alone.
        found[1] = _flip(found[1], HANDICAPS[name]["flipped"])
    random.Random(SEED).shuffle(found[0])
    return found[0], found[1], found[2]


def _flip(rows: Sequence[Row], share: float) -> list[Row]:
    draw = random.Random(SEED + 1)
    names = sorted({label for _, label in rows})
    return [
        (text, draw.choice([each for each in names if each != label]) if draw.random() < share else label)
        for text, label in rows
    ]


def _columns(path: Path, text: str, label: str) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as stream:
        return [(row[text], row[label]) for row in csv.DictReader(stream)]


def _lines(path: Path) -> list[Row]:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [(row["text"], str(row["label"])) for row in rows]


def _read_rows(path: Path) -> list[Row]:
    return _columns(path, "text", "label")


def _write_rows(path: Path, rows: Sequence[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "label"])
        writer.writerows(rows)


def _scores(document: Mapping[str, Any]) -> dict[str, float | None]:
    metric = document["metric"]
    return {name: each["metrics"][metric]["mean"] for name, each in document["candidates"].items()}
