"""A candidate that costs much less and scores, as far as validation rows can tell, the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from provetune.problem.scanner import write_number
from provetune.study.next.evidence import CandidateEvidence, Evidence
from provetune.study.next.kinds import _costs
from provetune.study.next.step import Change, Order, Step

MUCH_CHEAPER = 0.5
"""A saving under half of the cost is no reason to change."""
OF_TRAINING = 0.5
"""What a saving in training alone counts, against one in every answer. Assumed."""


class Cheaper:
    """`cheaper`."""

    name = "cheaper"

    def propose(self, evidence: Evidence) -> Sequence[Step]:
        found = []
        for one in evidence.candidates.values():
            if one.name == evidence.best or not one.passed or (one.candidate.data and one.candidate.data.draws):
                continue
            saving = _saving(one, evidence.leader)
            difference = _difference(one, evidence)
            if saving < MUCH_CHEAPER * OF_TRAINING or difference is None:
                continue
            effect, error = difference
            if abs(effect) <= evidence.smallest and not _answered(one, evidence):
                found.append((saving, one, effect, error))
        if not found:
            return []
        saving, one, effect, error = max(found, key=lambda each: each[0])
        return [_switch(one, evidence, saving, effect, error)]


KIND = Cheaper()


def _switch(one: CandidateEvidence, evidence: Evidence, saving: float, effect: float, error: float) -> Step:
    leader = evidence.leader
    gain = evidence.smallest * saving
    margin = write_number(evidence.smallest)
    use = leader.use_cost / max(one.use_cost, 1e-9)
    what = f"answers with 1/{use:.0f} of the weights" if use >= 2 else "is trained in a fraction of the time"
    return Step(
        "cheaper",
        f"Show that '{one.name}' will do",
        f"'{one.name}' {what} and scores within {evidence.smallest:g} of '{leader.name}' on validation rows "
        f"({effect:+.4f} ± {1.96 * error:.4f}).",
        gain,
        (0.0, evidence.smallest),
        _costs.runs(leader, evidence.seeds) + _costs.runs(one, evidence.seeds),
        Order.QUESTION,
        "prior: what it saves is worth that share of the smallest effect that matters (study.smallest_effect)",
        change=Change(
            (one.name, leader.name),
            (f"{one.name} >= {leader.name} - {margin}",),
            head=(f"Is '{one.name}' not worse by more than {margin}?",),
        ),
        details={"cheaper": one.name, "difference": effect, "difference_error": error, "saving": saving},
    )


def _saving(one: CandidateEvidence, leader: CandidateEvidence) -> float:
    """Share of the cost that is saved: of answering, else of training, which counts half."""
    use = 1 - one.use_cost / max(leader.use_cost, 1e-9)
    if use >= MUCH_CHEAPER:
        return use
    training = 1 - one.run_seconds / max(leader.run_seconds, 1e-9)
    return OF_TRAINING * training if training >= MUCH_CHEAPER and use >= 0 else 0.0


def _difference(one: CandidateEvidence, evidence: Evidence) -> tuple[float, float] | None:
    """Mean difference to the best candidate over validation rows, and its standard error by rows and runs."""
    left, right = evidence.contributions(one.name), evidence.contributions(evidence.best)
    if left is None or right is None or len(left) != len(right):
        return None
    difference = left - right
    variance = float(difference.var(ddof=1)) / len(difference)
    for candidate in (one, evidence.leader):
        scores = [run.score for run in candidate.passed]
        variance += float(np.var(scores, ddof=1)) / len(scores) if len(scores) > 1 else 0.0
    return float(difference.mean()), variance**0.5


def _answered(one: CandidateEvidence, evidence: Evidence) -> bool:
    """Whether a stored verdict has settled already how the two compare."""
    pair = {one.name, evidence.best}
    for claim in evidence.claims:
        sides = {side["name"] for side in (claim.get("left"), claim.get("right")) if side}
        if sides == pair and claim.get("verdict") in ("supported", "refuted"):
            return True
    return False
