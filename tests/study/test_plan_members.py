"""What candidates made of others cost before a study: models that two of them share are trained once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from provetune.problem.reading import read_problem
from provetune.study.plan_costs import trial_costs
from provetune.study.plan_pilot import Pilot
from provetune.study.plan_rows import ExpectedRows
from provetune.study.problem_checks import baseline_of, problem_checks
from provetune.study.resolve import resolve
from provetune.study.trial_plan import training_bytes, weight_bytes
from provetune.study.workspace import open_workspace


def test_further_models_are_counted_once(tmp_path: Path, write_problem: Callable[..., Path]) -> None:
    full = {"method": "full", "epochs": 1, "precision": "fp32"}
    made = {
        "full": full,
        "three": {"method": "ensemble", "members": ["full"], "runs": 3},
        "mix": {"method": "soup", "members": ["full"], "runs": 3},
        "four": {"method": "soup", "members": ["full"], "runs": 4},
    }
    path = write_problem(tmp_path, candidates=made)
    path.write_text("\n".join(_without_backbones(path.read_text().split("\n"))))
    resolved = resolve(read_problem(path, checks=problem_checks(), baseline_of=baseline_of))
    size = weight_bytes(resolved.backbones["full"])
    pilot = Pilot(resolved, ExpectedRows(resolved), {}, {"full": 10.0, "words": 1.0})
    costs = trial_costs(resolved, open_workspace(tmp_path), pilot, {})
    assert costs["three"].seconds == pytest.approx(20.0)  # two further models
    assert costs["mix"].seconds == 0.0  # the same two
    assert costs["four"].seconds == pytest.approx(10.0)  # one more
    assert costs["three"].bundle_bytes == 3 * size + 2 * size
    assert costs["mix"].bundle_bytes == size
    assert costs["four"].bundle_bytes == size + size


def test_an_average_of_the_weights_takes_memory(tmp_path: Path, write_problem: Callable[..., Path]) -> None:
    def needed(**more: object) -> int:
        path = write_problem(tmp_path, candidates={"full": {"method": "full", **more}})
        return training_bytes(resolve(read_problem(path, checks=problem_checks(), baseline_of=baseline_of)))

    plain = needed()
    assert plain > 0
    assert needed(ema=0.9) == plain * 9 // 7


def _without_backbones(lines: list[str]) -> list[str]:
    """The fixture names a backbone for every candidate; those made of others have none."""
    found, inside = [], False
    for line in lines:
        if line.startswith("  ") and line.endswith(":") and not line.startswith("   "):
            inside = line.strip()[:-1] in ("three", "mix", "four")
        if not (inside and "backbone" in line):
            found.append(line)
    return found
