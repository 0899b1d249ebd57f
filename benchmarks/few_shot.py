"""Few rows a label on hwu64: contrastive tuning beside fine-tuning, plain baselines and the `setfit` package.

    python benchmarks/few_shot.py                       # 4, 8 and 16 rows a label, five seeds, every column
    python benchmarks/few_shot.py --per-label 8         # one of them
    python benchmarks/few_shot.py --who ours            # without the package
    python benchmarks/few_shot.py --quick --json        # six labels, four rows each, one seed, nothing kept

Ours are one study for each number of rows, as `provetune.run` does it for everyone, with the claim ``setfit > full``;
its verdict is part of the result. The package (a dependency of this file alone) is put into a virtual environment in
the workspace that sees this project's packages, and trains on the very rows that our run of that seed learned from,
with as many threads: with 20 pairs of either kind a row, as the paper has it, and with ``--package-defaults`` also by
its own default, every pair there is, which takes hours. Where it cannot be had a line says so and its cells are left
out. Seconds are of training, the head's fit among them; ours have the scoring of the validation rows besides. Given
the same line again, it goes on.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import DATA, Cells, machine, say
from task_page import interval
from task_studies import learned_rows, resolved_study

STORE = "few_shot.json"
PACKAGE = ("setfit==1.2.0", "evaluate")
ITERATIONS = 20
CANDIDATES: dict[str, Any] = {
    "words": {"method": "tfidf"},
    "head": {"method": "head"},
    "nearest": {"method": "prototype"},
    "named": {"method": "zero_shot"},
    "setfit": {"method": "setfit"},
    "full": {"method": "full"},
}
CLAIMS = ["setfit > full", "setfit > full + 0.05", "setfit > head"]
QUICK_LABELS, QUICK_CANDIDATES = 6, ("words", "nearest", "setfit")


def main() -> None:
    arguments = parse()
    if arguments.quick:
        with tempfile.TemporaryDirectory() as scratch:
            cells = Cells(None, {})
            fill(cells, [4], 1, Path(scratch), arguments, quick=True)
    else:
        cells = Cells(STORE, {"iterations": ITERATIONS, "package": PACKAGE[0]}, fresh=arguments.fresh)
        fill(cells, arguments.per_label, arguments.seeds, arguments.workspace, arguments)
    document = {"machine": machine(), "lines": lines_of(cells.values), "verdicts": verdicts_of(cells.values)}
    cells.keep(document)
    show(document, arguments.json)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--per-label", nargs="+", type=int, default=[4, 8, 16], metavar="ROWS")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--who", nargs="+", choices=("ours", "package"), default=["ours", "package"])
    parser.add_argument("--package-defaults", action="store_true", help="the package with every pair, which is slow")
    parser.add_argument("--workspace", type=Path, default=Path(".provetune") / "few_shot")
    parser.add_argument("--quick", action="store_true", help="a minute's worth, kept nowhere")
    parser.add_argument("--fresh", action="store_true", help="run cells again that are kept")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    return parser.parse_args()


def fill(
    cells: Cells, sizes: list[int], seeds: int, workspace: Path, arguments: argparse.Namespace, *, quick: bool = False
) -> None:
    """Run what is asked for and not there."""
    python = None
    for size in sizes:
        path = write_problem(size, seeds, workspace, quick=quick)
        if "ours" in arguments.who:
            say(f"{size} rows a label: ours")
            cells.measure(f"{size}/ours/{seeds}", lambda path=path: ours_cell(path, workspace))
        if "package" not in arguments.who or quick:
            continue
        python = python or package_python(workspace)
        if python is None:
            say("The setfit package cannot be had here: its cells are left out.")
            continue
        for name, count in (
            ("package", ITERATIONS),
            *([("package_defaults", 0)] if arguments.package_defaults else []),
        ):
            for seed in range(seeds):
                say(f"{size} rows a label: {name}, seed {seed}")
                made = (path, size, seed, count, python, workspace)
                cells.measure(f"{size}/{name}/{seed}", lambda made=made: package_cell(*made))


def write_problem(size: int, seeds: int, workspace: Path, *, quick: bool) -> Path:
    """The problem file of one number of rows."""
    workspace.mkdir(parents=True, exist_ok=True)
    data: dict[str, Any] = {name: str(DATA / "hwu64" / f"{name}.csv") for name in ("train", "test")}
    chosen = CANDIDATES
    if quick:
        data = {name: str(_some_labels(Path(file), workspace)) for name, file in data.items()}
        chosen = {name: CANDIDATES[name] for name in QUICK_CANDIDATES}
    problem = {
        "name": f"hwu64 at {size}",
        "language": "en",
        "data": {**data, "columns": {"text": "text", "label": "intent"}, "subset": {"per_label": size}},
        "candidates": chosen,
        "claims": [claim for claim in CLAIMS if {"full", "head"}.isdisjoint(claim.split()) or not quick],
        "study": {"seeds": seeds, "parallel": 1},
    }
    path = workspace / f"hwu64-{size}.yaml"
    path.write_text(json.dumps(problem, indent=2), encoding="utf-8")
    return path


def ours_cell(path: Path, workspace: Path) -> dict[str, Any]:
    """Scores and seconds of all our candidates, and the verdicts on the claims."""
    import provetune as pt

    document = pt.run(path, workspace=workspace, listener=None).document
    found = {
        name: {"scores": one["metrics"]["accuracy"]["seeds"], "seconds": one["seconds"]}
        for name, one in document["candidates"].items()
    }
    kept = ("claim", "verdict", "effect", "interval")
    return {"candidates": found, "claims": [{key: one[key] for key in kept} for one in document["claims"]]}


def package_cell(path: Path, size: int, seed: int, iterations: int, python: Path, workspace: Path) -> dict[str, Any]:
    """One run of the package on the rows that our run of this seed learned from."""
    import torch

    study = resolved_study(path)
    numbers = {name: number for number, name in enumerate(study.targets.names)}
    rows, test = learned_rows(study, "setfit", seed), study.splits.test
    with tempfile.TemporaryDirectory() as scratch:
        answer = Path(scratch) / "answer.json"
        asked = {
            "model": str(_sentence_model(study.backbones["setfit"].path, workspace)),
            "folder": scratch,
            "answer": str(answer),
            "iterations": iterations,
            "threads": torch.get_num_threads(),
            "seed": seed,
            "texts": rows["text"].to_pylist(),
            "labels": [numbers[label] for label in rows["label"].to_pylist()],
            "test_texts": test["text"].to_pylist(),
            "test_labels": [numbers.get(label, -1) for label in test["label"].to_pylist()],
        }
        file = Path(scratch) / "asked.json"
        file.write_text(json.dumps(asked), encoding="utf-8")
        subprocess.run(
            [str(python), str(Path(__file__).with_name("setfit_package.py")), str(file)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        found: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
    return {**found, "rows": len(asked["texts"])}


def package_python(workspace: Path) -> Path | None:
    """The interpreter of an environment that sees this one's packages and has the package besides; None without it."""
    folder = workspace.absolute() / "setfit"
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        here = next(place for place in sys.path if place.endswith("site-packages"))
        site = next((folder / "lib").glob("python*/site-packages"))
        (site / "provetune_packages.pth").write_text(f"{here}\n", encoding="utf-8")
    if subprocess.run([str(python), "-c", "import setfit"], check=False, capture_output=True).returncode == 0:
        return python
    # Without its dependencies, which are here already: another torch would be another measurement.
    line = [str(python), "-m", "pip", "install", "--quiet", "--no-deps", *PACKAGE]
    there = subprocess.run(line, check=False, capture_output=True).returncode == 0
    works = there and subprocess.run([str(python), "-c", "import setfit"], check=False).returncode == 0
    return python if works else None


def lines_of(values: dict[str, Any]) -> list[dict[str, Any]]:
    """Mean accuracy with its interval over runs, and seconds a run, by rows a label and column."""
    runs: dict[tuple[int, str], list[tuple[float, float]]] = {}
    for name, value in values.items():
        size, who, _ = name.split("/")
        if who == "ours":
            for candidate, one in value["candidates"].items():
                runs[int(size), candidate] = [(score, one["seconds"]) for score in one["scores"]]
        else:
            runs.setdefault((int(size), who), []).append((value["score"], value["seconds"]))
    return [
        {
            "per_label": size,
            "who": who,
            "mean": sum(score for score, _ in found) / len(found),
            "interval": interval([score for score, _ in found]),
            "runs": len(found),
            "seconds": sum(seconds for _, seconds in found) / len(found),
        }
        for (size, who), found in sorted(runs.items())
    ]


def verdicts_of(values: dict[str, Any]) -> dict[str, Any]:
    """The claims of each number of rows, with their verdicts."""
    return {name.split("/")[0]: value["claims"] for name, value in values.items() if "/ours/" in name}


def show(document: dict[str, Any], as_json: bool) -> None:
    """A line a column, for a person or as one document."""
    if as_json:
        print(json.dumps(document))
        return
    for line in document["lines"]:
        low, high = line["interval"]
        print(
            f"{line['per_label']:>3} a label  {line['who']:<18} {line['mean']:.4f} ({low:.4f} to {high:.4f}), "
            f"{line['runs']} runs, {line['seconds']:.1f} s a run"
        )
    for size, claims in document["verdicts"].items():
        for claim in claims:
            print(f"{size:>3} a label  {claim['claim']:<24} {claim['verdict']}")


def _sentence_model(path: Path, workspace: Path) -> Path:
    """The backbone as sentence-transformers loads it: mean pooling and length one, as ours are."""
    import shutil

    from provetune.core.files import read_json
    from provetune.models.sentence_folder import write_sentence_files

    folder = workspace.absolute() / "sentence_model"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # Files alone: the folder of a pooling layer may lie beside them, which is written anew.
    for file in (each for each in Path(path).iterdir() if each.is_file()):
        shutil.copy2(file, folder)
    width = int(read_json(folder / "config.json")["hidden_size"])
    write_sentence_files(folder, width=width, pooling="mean", max_length=128)
    return folder


def _some_labels(file: Path, workspace: Path) -> Path:
    """The rows of the first few labels of a file."""
    with file.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    labels = sorted({row["intent"] for row in rows})[:QUICK_LABELS]
    path = workspace / f"some-{file.name}"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, ["text", "intent"])
        writer.writeheader()
        writer.writerows({key: row[key] for key in ("text", "intent")} for row in rows if row["intent"] in labels)
    return path


if __name__ == "__main__":
    main()
