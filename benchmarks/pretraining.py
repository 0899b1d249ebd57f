"""Does raw text of the field help? Backbones that learned on from it, beside the same backbone as it was.

    python benchmarks/pretraining.py                    # both sets, five seeds
    python benchmarks/pretraining.py --sets hwu64       # one of them
    python benchmarks/pretraining.py --page             # only print what is kept
    python benchmarks/pretraining.py --quick --json     # three hundred texts, one seed, nothing kept

The training rows' texts, without their labels, are the raw text; then few labels of each kind are learned: 8 a label
on hwu64 (utterances to a home assistant, English), 32 on fin_news_zh (financial news, Chinese; a quarter of its rows,
drawn once, is the test). Test texts are seen by nobody before they judge. Pretraining is what `provetune pretrain` does
with its defaults; the study is one `provetune.run`, and its verdicts on "better with it" are the result, with the
intervals of seeds and rows. Backbones are made in the cache under the names ``bench-SET-OBJECTIVE``. Given the same
line again, it goes on.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import DATA, Cells, machine, read_kept, say
from task_page import interval

from provetune.models.own import own_folder

STORE = "pretraining.json"
OBJECTIVES = ("mlm", "simcse")
CLAIMS = ("mlm > plain", "simcse > plain", "head_mlm > head_plain", "head_simcse > head_plain")
QUICK_TEXTS, QUICK_LABELS = 300, 4


@dataclass(frozen=True)
class Field:
    """A set: its backbone, column of labels and labelled rows of each label."""

    backbone: str
    language: str
    label: str
    per_label: int


FIELDS = {
    "hwu64": Field("minilm-en", "en", "intent", 8),
    "fin_news_zh": Field("m3e-small-zh", "zh", "label", 32),
}


def main() -> None:
    arguments = parse()
    if arguments.quick:
        cells = Cells(None, {})
        with tempfile.TemporaryDirectory() as scratch:
            fill(cells, "hwu64", 1, Path(scratch), quick=True)
        shutil.rmtree(own_folder(_backbone("hwu64", OBJECTIVES[0], quick=True)))
    else:
        cells = Cells(STORE, {"objectives": OBJECTIVES}, fresh=arguments.fresh)
        if arguments.page:
            cells.values = read_kept(cells.path).get("cells", {})
        for name in () if arguments.page else arguments.sets:
            fill(cells, name, arguments.seeds, arguments.workspace / name)
    document = {"machine": machine(), "lines": lines_of(cells.values), "verdicts": verdicts_of(cells.values)}
    if not arguments.page:
        cells.keep(document)
    show(document, arguments.json)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=list(FIELDS), default=list(FIELDS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--workspace", type=Path, default=Path(".provetune") / "pretraining")
    parser.add_argument("--page", action="store_true", help="only print what is kept")
    parser.add_argument("--quick", action="store_true", help="a minute's worth, kept nowhere")
    parser.add_argument("--fresh", action="store_true", help="run cells again that are kept")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    return parser.parse_args()


def fill(cells: Cells, name: str, seeds: int, workspace: Path, *, quick: bool = False) -> None:
    """Pretrain and run what is not there yet."""
    workspace.mkdir(parents=True, exist_ok=True)
    write_rows(name, workspace, quick=quick)
    objectives = OBJECTIVES[:1] if quick else OBJECTIVES
    for objective in objectives:
        say(f"{name}: {objective}")
        cells.measure(f"{name}/{objective}", lambda o=objective: pretrain_cell(name, o, workspace, quick=quick))
    say(f"{name}: the study")
    cells.measure(f"{name}/study/{seeds}", lambda: study_cell(name, objectives, seeds, workspace, quick=quick))


def write_rows(name: str, workspace: Path, *, quick: bool) -> None:
    """``train.csv``, ``test.csv`` and the raw texts of the former, ``raw.txt``."""
    if name == "hwu64":
        train, test = (_rows(DATA / name / f"{part}.csv") for part in ("train", "test"))
    else:
        rows = _rows(DATA / name / "news.csv")
        random.Random(0).shuffle(rows)
        test, train = rows[: len(rows) // 4], rows[len(rows) // 4 :]
    label = FIELDS[name].label
    if quick:
        some = sorted({row[label] for row in train})[:QUICK_LABELS]
        train, test = ([row for row in rows if row[label] in some] for rows in (train, test))
        train = train[:QUICK_TEXTS]
    for part, rows in (("train", train), ("test", test)):
        with (workspace / f"{part}.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, ["text", label], extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
    tested = {row["text"].strip() for row in test}
    raw = (" ".join(row["text"].split()) for row in train if row["text"].strip() not in tested)
    (workspace / "raw.txt").write_text("\n".join(raw) + "\n", encoding="utf-8")


def pretrain_cell(name: str, objective: str, workspace: Path, *, quick: bool) -> dict[str, Any]:
    """A backbone of the field; its figures on texts held out, and seconds."""
    import provetune as pt

    given = {"epochs": 1} if quick else {}
    made = pt.pretrain(
        workspace / "raw.txt",
        name=_backbone(name, objective, quick=quick),
        backbone=FIELDS[name].backbone,
        objective=objective,
        language=FIELDS[name].language,
        replace=True,
        **given,
    )
    facts = made.record["pretraining"]
    return {key: facts[key] for key in ("before", "after", "steps", "seconds", "texts", "settings")}


def study_cell(name: str, objectives: tuple[str, ...], seeds: int, workspace: Path, *, quick: bool) -> dict[str, Any]:
    """Scores of all candidates and the verdicts."""
    import provetune as pt

    facts = FIELDS[name]
    backbones = {"plain": facts.backbone, **{each: _backbone(name, each, quick=quick) for each in objectives}}
    candidates = {f"head_{each}": {"method": "head", "backbone": backbone} for each, backbone in backbones.items()}
    if not quick:
        candidates |= {each: {"method": "full", "backbone": backbone} for each, backbone in backbones.items()}
    problem = {
        "name": f"raw text of {name}",
        "language": facts.language,
        "data": {
            **{part: f"{part}.csv" for part in ("train", "test")},
            "columns": {"text": "text", "label": facts.label},
            "subset": {"per_label": facts.per_label},
        },
        "candidates": candidates,
        "claims": [claim for claim in CLAIMS if set(claim.split()[::2]) <= candidates.keys()],
        "study": {"seeds": seeds, "parallel": 1},
    }
    path = workspace / "problem.yaml"
    path.write_text(json.dumps(problem, indent=2), encoding="utf-8")
    document = pt.run(path, workspace=workspace, listener=None).document
    kept = ("claim", "verdict", "effect", "interval")
    return {
        "candidates": {
            each: {"scores": one["metrics"]["accuracy"]["seeds"], "seconds": one["seconds"]}
            for each, one in document["candidates"].items()
        },
        "claims": [{key: one[key] for key in kept} for one in document["claims"]],
    }


def lines_of(values: dict[str, Any]) -> list[dict[str, Any]]:
    """A line for each set and candidate: mean accuracy with its interval over seeds."""
    return [
        {
            "set": key.split("/")[0],
            "who": who,
            "mean": sum(one["scores"]) / len(one["scores"]),
            "interval": interval(one["scores"]),
            "runs": len(one["scores"]),
        }
        for key, value in values.items()
        if "/study/" in key
        for who, one in sorted(value["candidates"].items())
    ]


def verdicts_of(values: dict[str, Any]) -> dict[str, Any]:
    """The claims of each set with effect, interval and verdict."""
    return {key.split("/")[0]: value["claims"] for key, value in values.items() if "/study/" in key}


def show(document: dict[str, Any], as_json: bool) -> None:
    """A line a candidate and a claim, for a person or as one document."""
    if as_json:
        print(json.dumps(document))
        return
    for line in document["lines"]:
        low, high = line["interval"]
        print(f"{line['set']:<12} {line['who']:<12} {line['mean']:.4f} ({low:.4f} to {high:.4f}), {line['runs']} runs")
    for name, claims in document["verdicts"].items():
        for claim in claims:
            print(f"{name:<12} {claim['claim']:<26} {claim['effect']} {claim['interval']} {claim['verdict']}")


def _backbone(name: str, objective: str, *, quick: bool) -> str:
    return f"{'quick' if quick else 'bench'}-{name.replace('_', '-')}-{objective}"


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


if __name__ == "__main__":
    main()
