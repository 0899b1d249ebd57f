"""What rows without labels are worth: sst2 with 100 labelled ones and the rest unlabelled, against the 100 alone.

    python benchmarks/self_training.py                      # every run that is not there yet
    python benchmarks/self_training.py --who plain self     # some columns
    python benchmarks/self_training.py --quick --json       # few rows, one seed, nothing kept

Each seed draws its own labelled rows, 50 of each label, which all columns share; validation has 100 rows of dev, so
that no more labels go into a run than a person would have. All train for as many steps. Differences are paired by seed,
with Student's interval. Given the same line again, it goes on.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import Cells, labelled_rows, machine, say
from task_page import interval

STORE = "self_training.json"
PER_LABEL, VALIDATION, SEEDS, EPOCHS = 50, 100, 5, 30
PLAIN = "plain"
WAYS: Mapping[str, Mapping[str, Any]] = {
    PLAIN: {},
    "self": {"objective": "pseudo_labels", "pseudo_labels_rows": "MORE", "pseudo_labels_ratio": 7},
    "consistency": {"objective": "consistency", "consistency_rows": "MORE", "consistency_ratio": 7},
}
QUICK: Mapping[str, int] = {"more": 120, "test": 200, "epochs": 2}


def main() -> None:
    arguments = parse()
    quick = arguments.quick
    with tempfile.TemporaryDirectory() as scratch:
        place = (Path(scratch) if quick else arguments.workspace).absolute()
        place.mkdir(parents=True, exist_ok=True)
        settings = {"per_label": PER_LABEL, "epochs": EPOCHS, "ways": {name: dict(way) for name, way in WAYS.items()}}
        cells = Cells(None if quick else STORE, settings, fresh=arguments.fresh)
        for seed in range(1 if quick else arguments.seeds):
            for way in [PLAIN, "self"] if quick else arguments.who:
                say(f"run {way}/{seed}")
                cells.measure(f"{way}/{seed}", lambda w=way, s=seed: run_cell(w, s, place, QUICK if quick else {}))
    document = {"machine": machine(), "lines": lines_of(cells.values)}
    cells.keep(document)
    show(document, arguments.json)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--who", nargs="+", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--seeds", type=int, default=SEEDS, help="runs of each column")
    parser.add_argument("--workspace", type=Path, default=Path(".provetune") / "self_training")
    parser.add_argument("--quick", action="store_true", help="few rows and one seed, kept nowhere")
    parser.add_argument("--fresh", action="store_true", help="run again what is kept")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    return parser.parse_args()


def run_cell(way: str, seed: int, place: Path, less: Mapping[str, int]) -> dict[str, Any]:
    """A study of one run: its scores on the sealed test."""
    import provetune as pt

    write_files(seed, place, less)
    name = f"{way}_{seed}"
    own = {key: f"more_{seed}.jsonl" if value == "MORE" else value for key, value in WAYS[way].items()}
    epochs = less.get("epochs", EPOCHS)
    problem = {
        "name": name,
        "language": "en",
        "data": {
            "train": f"train_{seed}.jsonl",
            "validation": "validation.jsonl",
            "test": "test.jsonl",
            "columns": {"text": "text", "label": "label"},
        },
        "candidates": {name: {"method": "full", "epochs": epochs, **own}},
        "study": {"seeds": 1},
    }
    path = place / f"{name}.yaml"
    path.write_text(json.dumps(problem, indent=2), encoding="utf-8")
    document = pt.run(path, workspace=place / "runs", listener=None).document
    found = document["candidates"][name]
    return {"accuracy": found["metrics"]["accuracy"]["mean"], "seconds": found["seconds"], "study": document["study"]}


def write_files(seed: int, place: Path, less: Mapping[str, int]) -> None:
    """Labelled rows of this seed, the others without their labels, validation and test rows."""
    texts, labels = labelled_rows("sst2")
    order = list(range(len(texts)))
    random.Random(seed).shuffle(order)
    chosen = [k for label in sorted(set(labels)) for k in [k for k in order if labels[k] == label][:PER_LABEL]]
    rest = sorted(set(order) - set(chosen))[: less.get("more")]
    write_rows(place / f"train_{seed}.jsonl", [{"text": texts[k], "label": labels[k]} for k in chosen])
    write_rows(place / f"more_{seed}.jsonl", [{"text": texts[k]} for k in rest])
    for name, split, limit in (("validation", "dev", VALIDATION), ("test", "test", less.get("test"))):
        rows = zip(*labelled_rows("sst2", limit, split), strict=True)
        write_rows(place / f"{name}.jsonl", [{"text": text, "label": label} for text, label in rows])


def write_rows(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def lines_of(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A line a column: the mean with its interval, and the gain over `plain`, paired by seed."""
    lines = []
    for way in WAYS:
        scores = {name.split("/")[1]: value["accuracy"] for name, value in values.items() if name.startswith(f"{way}/")}
        if not scores:
            continue
        paired = [score - values[f"{PLAIN}/{seed}"]["accuracy"] for seed, score in scores.items()
                  if way != PLAIN and f"{PLAIN}/{seed}" in values]  # fmt: skip
        lines.append(
            {
                "way": way,
                "runs": len(scores),
                "accuracy": sum(scores.values()) / len(scores),
                "interval": interval(list(scores.values())),
                "gain": sum(paired) / len(paired) if paired else None,
                "gain_interval": interval(paired) if paired else None,
                "seconds": sum(v["seconds"] for n, v in values.items() if n.startswith(f"{way}/")) / len(scores),
            }
        )
    return lines


def show(document: Mapping[str, Any], as_json: bool) -> None:
    """The lines, for a person or as one document."""
    if as_json:
        print(json.dumps(document))
        return
    for line in document["lines"]:
        gain = ""
        if line["gain"] is not None:
            low, high = line["gain_interval"]
            gain = f", {line['gain']:+.4f} ({low:+.4f} to {high:+.4f}) over plain"
        print(f"{line['way']:<12} accuracy {line['accuracy']:.4f}{gain}, {line['runs']} runs")


if __name__ == "__main__":
    main()
