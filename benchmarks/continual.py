"""How much is forgotten: clinc150's ten domains learnt in three steps, each from the bundle of the one before.

    python benchmarks/continual.py                          # every chain that is not there yet
    python benchmarks/continual.py --who plain replay       # some of them
    python benchmarks/continual.py --seeds 1                # fewer chains
    python benchmarks/continual.py --quick --json           # little rows, one seed, nothing kept

A chain is one seed and one way to go on. Its first step learns four domains, each further one three more, from the
new rows alone (`keep_head: true`) and, for those that want one, a memory of ten rows of each earlier intent. All chains
of a seed share their first step. Checkpoints are chosen by validation rows of the new domains, as a person would have
them. What is reported is the accuracy, on test rows of the first four domains, after the first and after the last step;
what is left is their ratio. `joint` learns everything at once. Given the same line again, it goes on.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import DATA, Cells, machine, say
from task_page import interval

STORE = "continual.json"
SET = DATA / "clinc150"
STEPS = (4, 3, 3)
MEMORY_ROWS = 10
SEEDS = 3
WAYS: Mapping[str, Mapping[str, Any]] = {
    "plain": {},
    "ewc": {"objective": "ewc", "ewc_memory": "MEMORY"},
    "lwf": {"objective": "lwf"},
    "replay": {"objective": "replay", "replay_memory": "MEMORY"},
}
JOINT = "joint"
KEPT = 0.95
QUICK: Mapping[str, Any] = {"intents": 3, "rows": 20, "epochs": 2}


def main() -> None:
    arguments = parse()
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch) if arguments.quick else arguments.workspace
        chains = Chains(place, QUICK if arguments.quick else {})
        settings = {"steps": STEPS, "memory_rows": MEMORY_ROWS, "ways": {name: dict(way) for name, way in WAYS.items()}}
        cells = Cells(None if arguments.quick else STORE, settings, fresh=arguments.fresh)
        who = ["plain", "replay"] if arguments.quick else arguments.who
        for seed in range(1 if arguments.quick else arguments.seeds):
            for way in who:
                say(f"chain {way}/{seed}")
                cells.measure(f"{way}/{seed}", lambda w=way, s=seed: chains.run(w, s))
    document = {"machine": machine(), "lines": lines_of(cells.values)}
    cells.keep(document)
    show(document, arguments.json)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--who", nargs="+", choices=[*WAYS, JOINT], default=[*WAYS, JOINT])
    parser.add_argument("--seeds", type=int, default=SEEDS, help="chains of each way")
    parser.add_argument("--workspace", type=Path, default=Path(".provetune") / "continual")
    parser.add_argument("--quick", action="store_true", help="few rows and one seed, kept nowhere")
    parser.add_argument("--fresh", action="store_true", help="run chains again that are kept")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    return parser.parse_args()


class Chains:
    """Runs chains in a folder.

    Args:
        place: for problem files, rows and workspaces.
        less: ``intents`` of a step, ``rows`` of an intent and ``epochs`` for a quick try.
    """

    def __init__(self, place: Path, less: Mapping[str, Any]) -> None:
        self.place, self.less = place.absolute(), less
        self.place.mkdir(parents=True, exist_ok=True)
        self.rows = {split: self._read(split) for split in ("train", "val", "test")}
        domains = list(json.loads((SET / "domains.json").read_text(encoding="utf-8")).values())
        self.steps: list[list[str]] = []
        for count in STEPS:
            taken, domains = domains[:count], domains[count:]
            self.steps.append([intent for domain in taken for intent in domain][: less.get("intents")])

    def run(self, way: str, seed: int) -> dict[str, Any]:
        """Accuracies after each step of one chain."""
        if way == JOINT:
            bundle = self._step(JOINT, seed, len(STEPS) - 1, None)
            return {"first": None, "last": self._accuracy(bundle, 0), "all": self._accuracy(bundle, len(STEPS) - 1)}
        bundle = self._step("first", seed, 0, None)
        after = [self._accuracy(bundle, 0)]
        for number in range(1, len(STEPS)):
            bundle = self._step(way, seed, number, bundle)
            after.append(self._accuracy(bundle, 0))
        return {"first": after[0], "after": after, "last": after[-1], "all": self._accuracy(bundle, len(STEPS) - 1)}

    def _step(self, way: str, seed: int, number: int, before: Path | None) -> Path:
        """One study of one run; returns its bundle. One that has been run answers at once."""
        import provetune as pt

        name = f"{way}_{seed}_{number}"
        earlier = [intent for step in self.steps[:number] for intent in step]
        wanted = earlier + self.steps[number] if way == JOINT else self.steps[number]
        candidate: dict[str, Any] = {"method": "full"}
        if self.less:
            candidate["epochs"] = self.less["epochs"]
        if before is not None:
            memory = self._write(f"memory_{number}", "train", earlier, MEMORY_ROWS)
            own = {key: memory if value == "MEMORY" else value for key, value in WAYS[way].items()}
            candidate |= {"backbone": str(before), "keep_head": True, **own}
        problem = {
            "name": name,
            "language": "en",
            "options": {"labels": earlier} if before is not None else {},
            "data": {
                "train": self._write(f"train_{way == JOINT}_{number}", "train", wanted, self.less.get("rows")),
                "validation": self._write(f"val_{way == JOINT}_{number}", "val", wanted, None),
                "test": self._write(f"test_{number}", "test", earlier + self.steps[number], None),
                "columns": {"text": "text", "label": "intent"},
            },
            "candidates": {name: candidate},
            "study": {"seeds": 1, "keep": "all"},
        }
        path = self.place / f"{name}.yaml"
        path.write_text(json.dumps(problem, indent=2), encoding="utf-8")
        study = pt.run(path, workspace=self.place / "runs", listener=None)
        return Path(study.folder) / study.candidates[name]["bundles"][0]

    def _accuracy(self, bundle: Path, until: int) -> float:
        """Share of right answers on the test rows of the first step, or of all up to one, among all labels known."""
        import provetune as pt

        wanted = {intent for step in self.steps[: until + 1] for intent in step}
        rows = [row for row in self.rows["test"] if row["intent"] in wanted]
        told = pt.load(bundle, precision="auto").predict([row["text"] for row in rows])
        return sum(each["label"] == row["intent"] for each, row in zip(told, rows, strict=True)) / len(rows)

    def _write(self, name: str, split: str, intents: list[str], limit: int | None) -> str:
        """Rows of these intents, the first `limit` of each, as a file; its name."""
        path = self.place / f"{name}.csv"
        with path.open("w", encoding="utf-8", newline="") as stream:
            out = csv.DictWriter(stream, ["text", "intent"])
            out.writeheader()
            for intent in intents:
                out.writerows([row for row in self.rows[split] if row["intent"] == intent][:limit])
        return path.name

    def _read(self, split: str) -> list[dict[str, str]]:
        if not SET.is_dir():
            raise SystemExit(f"{SET} is not there: this benchmark needs the shared data sets.")
        with (SET / f"{split}.csv").open(encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream))


def lines_of(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A line a way: means over seeds with Student's intervals."""
    lines = []
    for way in (*WAYS, JOINT):
        runs = [value for name, value in values.items() if name.split("/")[0] == way]
        if not runs:
            continue
        left = [run["last"] / run["first"] for run in runs if run["first"]]
        lines.append(
            {
                "way": way,
                "runs": len(runs),
                "last": sum(run["last"] for run in runs) / len(runs),
                "last_interval": interval([run["last"] for run in runs]),
                "all": sum(run["all"] for run in runs) / len(runs),
                "all_interval": interval([run["all"] for run in runs]),
                "left": sum(left) / len(left) if left else None,
                "left_interval": interval(left) if left else None,
                "keeps_enough": bool(left) and sum(left) / len(left) >= KEPT,
            }
        )
    return lines


def show(document: Mapping[str, Any], as_json: bool) -> None:
    """The lines, for a person or as one document."""
    if as_json:
        print(json.dumps(document))
        return
    for line in document["lines"]:
        left = "" if line["left"] is None else f", {line['left']:.1%} of the first step's is left"
        print(f"{line['way']:<8} first domains {line['last']:.4f}{left}; all {line['all']:.4f}; {line['runs']} runs")


if __name__ == "__main__":
    main()
