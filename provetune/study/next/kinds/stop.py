"""Nothing more to do: what was asked for is met, and nothing here promises more than matters."""

from __future__ import annotations

from collections.abc import Sequence

from provetune.study.next.evidence import Evidence
from provetune.study.next.step import Order, Step


class Stop:
    """`stop`. Whether anything else promises enough is for the ranking to say, which drops it then."""

    name = "stop"

    def propose(self, evidence: Evidence) -> Sequence[Step]:
        if not evidence.accept or any(level["met"] is not True for level in evidence.accept):
            return []
        met = ", ".join(f"{level['metric']} {level['required']}" for level in evidence.accept)
        return [
            Step(
                "stop",
                "Stop here",
                f"Acceptance is met ({met}), and nothing in the evidence promises more than {evidence.smallest:g}, "
                "the smallest effect that matters.",
                0.0,
                (0.0, 0.0),
                0.0,
                Order.STOP,
                "the levels of acceptance as they were judged",
                details={"best": evidence.best, "score": evidence.leader.score},
            )
        ]


KIND = Stop()
