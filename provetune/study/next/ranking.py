"""Which step comes first.

1. What is broken: nothing can be told from runs that did not learn.
2. What this study's own evidence says pays at least the smallest effect that matters.
3. What was asked and is not answered, and what would do the same for less.
4. Stop, where what was asked for is met; it is dropped where 1 or 2 has anything.
5. What only a prior speaks for.
6. What promises less than the smallest effect that matters.

Within each, by expected gain for cost: units of the primary metric an hour, the machine's time and people's together.
"""

from __future__ import annotations

from collections.abc import Iterable

from provetune.study.next.evidence import Evidence
from provetune.study.next.kinds import KINDS
from provetune.study.next.step import Order, Step


def propose_steps(evidence: Evidence) -> list[Step]:
    """Every step that any kind proposes, the best first."""
    return rank(step for name in KINDS.names() for step in KINDS.get(name).propose(evidence))


def rank(steps: Iterable[Step]) -> list[Step]:
    """The steps in the order of this file's text."""
    found = list(steps)
    if any(step.order in (Order.BROKEN, Order.EVIDENCE) for step in found):
        found = [step for step in found if step.order != Order.STOP]
    return sorted(found, key=lambda step: (step.order, -step.rate, step.kind))
