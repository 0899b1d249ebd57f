"""A backbone where none was tried, or the next larger one of the catalogue for this language."""

from __future__ import annotations

from collections.abc import Sequence

from provetune.core.protocols import WITHOUT_BACKBONE
from provetune.study.next.evidence import Evidence
from provetune.study.next.kinds import _costs
from provetune.study.next.step import Change, Order, Step

OVER_WORDS = 0.38
"""Share of the baseline's error that a fine-tuned backbone removed: .37 on sst2, .40 on clinc150
(benchmarks/quality.py)."""
OVER_SMALLER = 0.15
"""Share of the error that a backbone some five times as large removes. Assumed; nothing here measured it."""
FIRST_RUN_SECONDS = 600.0
"""A run of a method that was never run here. Assumed; `provetune plan` measures it."""


class Backbone:
    """`backbone`."""

    name = "backbone"

    def propose(self, evidence: Evidence) -> Sequence[Step]:
        with_one = [one for one in evidence.candidates.values() if one.learns_from not in WITHOUT_BACKBONE]
        if evidence.larger is None:
            return []
        name, times = evidence.larger
        return [_larger(evidence, name, times) if with_one else _first(evidence, name)]


KIND = Backbone()


def _first(evidence: Evidence, name: str) -> Step:
    leader = evidence.leader
    gain = OVER_WORDS * evidence.reducible
    return Step(
        "backbone",
        f"Fine-tune a language model ('{name}')",
        f"Only methods without a pretrained model were tried, and the best gets {evidence.error:.1%} of the "
        "validation rows wrong. A fine-tuned one usually removes a good third of that.",
        gain,
        (0.0, 2 * gain),
        _costs.runs(leader, evidence.seeds) + FIRST_RUN_SECONDS * evidence.seeds,
        _order(evidence, gain),
        f"prior: {OVER_WORDS:.0%} of the baseline's error, as on sst2 and clinc150 (benchmarks/quality.py)",
        change=Change(
            (leader.name,), (f"full > {leader.name}",), {"full": (leader.name, {"backbone": name, "method": "full"})}
        ),
        details={"backbone": name},
    )


def _larger(evidence: Evidence, name: str, times: float) -> Step:
    with_one = [one for one in evidence.candidates.values() if one.learns_from not in WITHOUT_BACKBONE]
    base = max(with_one, key=lambda one: one.score)
    gain = max(0.0, OVER_SMALLER * evidence.reducible - (evidence.leader.score - base.score))
    larger = f"{base.name}_larger"
    return Step(
        "backbone",
        f"Try a larger backbone, '{name}'",
        f"'{base.name}' gets {1 - base.score:.1%} of the validation rows wrong; '{name}' has {times:.1f} times "
        "the weights and speaks the language.",
        gain,
        (0.0, 2 * gain),
        _costs.runs(base, evidence.seeds, times=1 + times),
        _order(evidence, gain),
        f"prior: {OVER_SMALLER:.0%} of the error for some five times the weights; assumed, not measured here",
        change=Change((base.name,), (f"{larger} > {base.name}",), {larger: (base.name, {"backbone": name})}),
        details={"backbone": name, "times": times},
    )


def _order(evidence: Evidence, gain: float) -> Order:
    return Order.PRIOR if gain >= evidence.smallest else Order.SMALL
