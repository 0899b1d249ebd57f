"""Three claims on a real set, one supported, one refuted, one inconclusive, and what a user does next.

    python benchmarks/claims_real.py --save claims_real.json     # both studies: about three minutes on two cores
    python benchmarks/claims_real.py --folder /tmp/intents       # the same, its files left to be looked at

hwu64: 64 intents, the authors' own training and test files. The first study asks three questions. The second does what
its answers say: half the training rows are as good as all, so test rows are taken from them, rows on which nothing was
ever judged; and what was too high a level is asked again as one that would do. The page is docs/how_to/claims.md.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import tempfile
from pathlib import Path
from typing import Any

from harness import DATA, RESULTS, add_usual_arguments, machine, say

from provetune import run
from provetune.core.files import write_json, write_text

SEED = 13
PROBLEM = """\
name: assistant-intents
language: en
data:
  train: train.csv
  test: test.csv
  columns: {text: text, label: intent}
candidates:
  words: {method: tfidf}
  head: {backbone: minilm-en, method: head}
  half: {backbone: minilm-en, method: head, data: {share: 0.5}}
claims:
  - head > words + 0.01
  - head >= 0.95
  - half ~ head ± 0.03
study: {seeds: 5}
"""
AFTERWARDS = """\
name: assistant-intents
language: en
data:
  train: train_2.csv
  test: test_2.csv
  columns: {text: text, label: intent}
candidates:
  words: {method: tfidf}
  head: {backbone: minilm-en, method: head}
claims:
  - head > words + 0.01
  - head >= 0.88
study: {seeds: 5}
"""
SHOWN = ("claim", "verdict", "effect", "bound", "interval", "p", "p_holm", "p_refuted_holm", "alpha", "look", "needs")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_usual_arguments(parser)
    parser.add_argument("--folder", type=Path, help="where files and studies go; a temporary one when left out")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="claims-") as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        document = {"machine": machine(), "studies": _studies(folder, seeds=3 if arguments.quick else 5)}
    if arguments.save:
        write_json(RESULTS / arguments.save, document)
    print(json.dumps(document) if arguments.json else _lines(document))
    return 0


def _studies(folder: Path, seeds: int) -> list[dict[str, Any]]:
    for name in ("train", "test"):
        _write(folder / f"{name}.csv", _read(DATA / "hwu64" / f"{name}.csv"))
    first = _study(folder, "problem.yaml", PROBLEM, seeds)
    open_claim = next(claim for claim in first["claims"] if claim["claim"].startswith("head > words"))
    needed = (open_claim["needs"] or {}).get("rows") or first["rows"]["test"]
    _divide_anew(folder, int(needed))
    return [first, _study(folder, "problem_2.yaml", AFTERWARDS, seeds)]


def _divide_anew(folder: Path, rows: int) -> None:
    """So many training rows become the test; what was the test is learned from."""
    train, test = _read(folder / "train.csv"), _read(folder / "test.csv")
    random.Random(SEED).shuffle(train)
    _write(folder / "test_2.csv", train[:rows])
    _write(folder / "train_2.csv", train[rows:] + test)


def _study(folder: Path, name: str, text: str, seeds: int) -> dict[str, Any]:
    write_text(folder / name, text)
    say(f"provetune run {name}")
    study = run(folder / name, overrides=[f"study.seeds={seeds}"])
    scores = {candidate: found["metrics"]["accuracy"] for candidate, found in study.candidates.items()}
    claims = [{key: claim[key] for key in SHOWN} for claim in study.claims]
    return {"problem": name, "rows": study.document["rows"], "accuracy": scores, "claims": claims}


def _read(path: Path) -> list[tuple[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return [(row["text"], row["intent"]) for row in csv.DictReader(stream)]


def _write(path: Path, rows: list[tuple[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "intent"])
        writer.writerows(rows)


def _lines(document: dict[str, Any]) -> str:
    lines = []
    for study in document["studies"]:
        lines.append(f"{study['problem']}: {study['rows']}")
        for claim in study["claims"]:
            low, high = claim["interval"]
            lines.append(
                f"  {claim['claim']:<24} {claim['verdict']:<12} {claim['effect']:+.4f} ({low:+.4f} to {high:+.4f})"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
