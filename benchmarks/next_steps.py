"""Does `next` say the right thing? On made-up problems whose right step is known, and on real ones with a handicap.

    python benchmarks/next_steps.py --save next_steps.json                 # both parts, resumable
    python benchmarks/next_steps.py --part worlds --save next_steps.json   # the made-up problems alone
    python benchmarks/next_steps.py --part real --save next_steps.json     # the real sets alone
    python benchmarks/next_steps.py --part worlds --quick                  # three worlds of each kind, kept nowhere

Part one: worlds of eight kinds (`next_worlds.py`), each drawn anew until what makes it of its kind is true:
that twice the
rows do help, that right labels do, that the usual learning rate does, that the claim is open, that the two
candidates do
score alike. How often the right step is first is the figure.

Part two: three real sets with handicaps that were fixed here before anything was run. `next` is followed for two rounds
without a look at what it says: the first step's problem file is run, after what a person would do for it
(held-back rows
are added, doubtful labels are set right). The figure is the last claim, judged on the sealed test.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
os.environ.setdefault("OMP_NUM_THREADS", "1")  # small products: threads would only wait for each other

import numpy as np
from harness import Cells, add_usual_arguments, say
from next_real import HANDICAPS, follow
from next_worlds import SMALLEST, Rows, World, head_score, make_evidence, network_score

from provetune.study.next.evidence import Evidence
from provetune.study.next.ranking import propose_steps

INSTANCES, QUICK_INSTANCES = 20, 3
MOST_DRAWS = 40
WANTED = 0.8

Random = np.random.Generator
Truth = Callable[[World, Evidence, dict[str, Rows], Random], bool]


def few_rows(random: Random) -> World:
    return World(
        classes=int(random.integers(4, 8)),
        numbers=int(random.integers(30, 60)),
        train=int(random.integers(120, 300)),
        apart=float(random.uniform(2.6, 3.4)),
        claims=("head > words + 0.02",),
        larger=bool(random.integers(2)),
    )


def wrong_labels(random: Random) -> World:
    return World(
        classes=int(random.integers(3, 6)),
        numbers=int(random.integers(50, 80)),
        train=int(random.integers(600, 1200)),
        apart=float(random.uniform(3.2, 4.2)),
        blur=0.3,
        wrong=float(random.uniform(0.15, 0.3)),
        claims=("head > words + 0.02",),
        larger=bool(random.integers(2)),
    )


def rate_too_low(random: Random) -> World:
    return replace(_rated(random), rate=0.1, usual=float(random.uniform(0.1, 0.3)))


def rate_too_high(random: Random) -> World:
    return replace(_rated(random), rate=10.0, usual=float(random.uniform(0.5, 1.2)))


def by_heart(random: Random) -> World:
    return World(
        classes=3,
        numbers=10,
        idle=int(random.integers(80, 200)),
        start=0.05,
        train=int(random.integers(200, 350)),
        apart=float(random.uniform(1.5, 2.0)),
        blur=1.2,
        rate=1.0,
        usual=0.2,
        epochs=80.0,
        claims=("full > words + 0.02",),
        larger=bool(random.integers(2)),
    )


def twin_labels(random: Random) -> World:
    return replace(_easy(random), classes=int(random.integers(4, 7)), twins=True, claims=("full > words + 0.02",))


def open_claim(random: Random) -> World:
    margin = random.uniform(0.01, 0.05)
    return replace(
        _easy(random), blur=0.8, test=int(random.integers(100, 250)), claims=(f"full > head + {margin:.3f}",)
    )


def as_good(random: Random) -> World:
    return replace(_easy(random), blur=float(random.uniform(0.2, 0.45)), claims=("full > words + 0.02",))


def solved(random: Random) -> World:
    accept = float(random.uniform(0.6, 0.8))
    return replace(_easy(random), blur=1.0, accept=accept, claims=("full > words + 0.02",))


def _easy(random: Random) -> World:
    return World(
        classes=int(random.integers(3, 6)),
        numbers=int(random.integers(16, 24)),
        train=int(random.integers(1200, 1800)),
        apart=float(random.uniform(3.0, 3.8)),
        rate=1.0,
        larger=bool(random.integers(2)),
    )


def _rated(random: Random) -> World:
    return World(
        classes=int(random.integers(3, 6)),
        numbers=int(random.integers(16, 30)),
        train=int(random.integers(1000, 1800)),
        apart=float(random.uniform(2.2, 3.2)),
        epochs=float(random.choice([3, 4, 6])),
        claims=("full > words + 0.02",),
        larger=bool(random.integers(2)),
    )


def more_rows_help(world: World, evidence: Evidence, rows: dict[str, Rows], random: Random) -> bool:
    now, then = (head_score(world, rows, rows[part], rows[part].labels) for part in ("train", "more"))
    return evidence.best == "head" and then - now >= SMALLEST


def right_labels_help(world: World, evidence: Evidence, rows: dict[str, Rows], random: Random) -> bool:
    now, then = (head_score(world, rows, rows["train"], each) for each in (rows["train"].labels, rows["train"].true))
    return evidence.best == "head" and then - now >= SMALLEST


def usual_rate_helps(world: World, evidence: Evidence, rows: dict[str, Rows], random: Random) -> bool:
    now, then = (network_score(replace(world, rate=rate), rows, random) for rate in (world.rate, 1.0))
    return then - max(now, evidence.leader.score) >= SMALLEST


def regularising_helps(world: World, evidence: Evidence, rows: dict[str, Rows], random: Random) -> bool:
    if evidence.best != "full":
        return False
    shorter = replace(world, decay=0.02, epochs=0.3 * world.epochs)
    now, then = (network_score(each, rows, random) for each in (world, shorter))
    return then - max(now, evidence.leader.score) >= SMALLEST


def full_is_best(world: World, evidence: Evidence, rows: dict[str, Rows], random: Random) -> bool:
    return evidence.best == "full"


def claim_is_open(world: World, evidence: Evidence, rows: dict[str, Rows], random: Random) -> bool:
    if evidence.best != "full" or len(evidence.claims) != 1:
        return False
    needs = evidence.claims[0]["needs"]
    apart = evidence.leader.score - evidence.candidates["head"].score
    return apart > SMALLEST and needs is not None and any(needs.values())


def scores_are_alike(world: World, evidence: Evidence, rows: dict[str, Rows], random: Random) -> bool:
    return evidence.best == "full" and evidence.leader.score - evidence.candidates["head"].score < SMALLEST


def all_is_met(world: World, evidence: Evidence, rows: dict[str, Rows], random: Random) -> bool:
    met = all(level["met"] for level in evidence.accept)
    answered = all(claim["verdict"] != "inconclusive" for claim in evidence.claims)
    return met and answered and evidence.leader.score - evidence.candidates["head"].score > SMALLEST


KINDS: dict[str, tuple[Callable[[Random], World], Truth, str]] = {
    "too few rows": (few_rows, more_rows_help, "more_labels"),
    "wrong labels": (wrong_labels, right_labels_help, "clean_labels"),
    "learning rate ten times too low": (rate_too_low, usual_rate_helps, "learning_rate"),
    "learning rate ten times too high": (rate_too_high, usual_rate_helps, "learning_rate"),
    "learned by heart": (by_heart, regularising_helps, "regularisation"),
    "two labels that mean the same": (twin_labels, full_is_best, "merge_labels"),
    "claim left open": (open_claim, claim_is_open, "answer_claims"),
    "cheaper candidate as good": (as_good, scores_are_alike, "cheaper"),
    "solved": (solved, all_is_met, "stop"),
}


def first_step(kind: str, number: int) -> dict[str, Any]:
    """What `next` puts first in the world of this number, with how often it was drawn."""
    make, holds, right = KINDS[kind]
    place = list(KINDS).index(kind)
    for draw in range(MOST_DRAWS):
        random = np.random.default_rng([20_170_604, place, number, draw])
        world = make(random)
        evidence, rows = make_evidence(world, random)
        if holds(world, evidence, rows, random):
            steps = propose_steps(evidence)
            said = [step.kind for step in steps]
            return {"draws": draw + 1, "right": right, "first": said[0] if said else None, "steps": said}
    raise SystemExit(f"No world of the kind '{kind}' came up in {MOST_DRAWS} draws.")


def try_worlds(cells: Cells, count: int, kinds: Sequence[str]) -> dict[str, Any]:
    """How often the right step is first, by kind and over all."""
    shares = {}
    for kind in kinds:
        found = [
            cells.measure(f"world/{kind}/{number}", lambda kind=kind, number=number: first_step(kind, number))
            for number in range(count)
        ]
        right = sum(one["first"] == one["right"] for one in found)
        others = sorted({str(one["first"]) for one in found if one["first"] != one["right"]})
        drawn = sum(one["draws"] for one in found)
        shares[kind] = {"right": right, "of": count, "instead": others, "drawn": drawn}
        say(f"{kind:<34} {right:>3} of {count}" + (f"   instead: {', '.join(others)}" if others else ""))
    total = sum(one["right"] for one in shares.values()) / sum(one["of"] for one in shares.values())
    say(f"{'over all':<34} {total:.1%}, wanted {WANTED:.0%}")
    return {"kinds": shares, "right_first": total, "wanted": WANTED}


def try_real(cells: Cells, names: Sequence[str], workspace: Path) -> dict[str, Any]:
    """What following `next` for two rounds came to on each real set."""
    found = {}
    for name in names:
        found[name] = cells.measure(f"real/{name}", lambda name=name: follow(name, workspace, say))
        last = found[name]["rounds"][-1]
        say(f"{name:<12} {' then '.join(one['kind'] for one in found[name]['rounds'])}: {last['words']}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_usual_arguments(parser)
    parser.add_argument("--part", choices=["worlds", "real", "all"], default="all")
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS), metavar="KIND")
    parser.add_argument("--sets", nargs="+", choices=list(HANDICAPS), default=list(HANDICAPS), metavar="SET")
    parser.add_argument("--instances", type=int)
    parser.add_argument("--workspace", type=Path, default=Path(".provetune") / "next_steps")
    asked = parser.parse_args()
    count = asked.instances or (QUICK_INSTANCES if asked.quick else INSTANCES)
    cells = Cells(asked.save, {}, fresh=asked.fresh)
    document: dict[str, Any] = {}
    if asked.part in ("worlds", "all"):
        document["worlds"] = try_worlds(cells, count, asked.kinds)
    if asked.part in ("real", "all") and not asked.quick:
        document["real"] = try_real(cells, asked.sets, asked.workspace)
    cells.keep(document)
    if asked.json:
        print(json.dumps(document, ensure_ascii=False))


if __name__ == "__main__":
    main()
