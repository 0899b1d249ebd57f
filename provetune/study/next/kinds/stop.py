"""Nothing more to do: what was asked for is met, and nothing here promises more than matters."""

from __future__ import annotations

from collections.abc import Sequence

from provetune.study.next.evidence import Evidence
from provetune.study.next.step import Order, Step


class Stop:
    """`stop`. Whether anything else promises enough is for the ranking to say, which drops it then."""

    name = "stop"

    def propose(self, evidence: Evidence) -> Sequence[Step]:
        if any(level["met"] is not True for level in evidence.accept):
            return []
        if not evidence.accept and not _all_answered(evidence):
            return []
        met = ", ".join(f"{level['metric']} {level['required']}" for level in evidence.accept)
        reason = f"Acceptance is met ({met})" if met else "Every claim is answered"
        return [
            Step(
                "stop",
                "Stop here",
                f"{reason}, and nothing in the evidence promises more than {evidence.smallest:g}, the smallest "
                f"effect that "
                "matters.",
                0.0,
                (0.0, 0.0),
                0.0,
                Order.STOP,
                "stored verdicts and levels",
                details={"best": evidence.best, "score": evidence.leader.score},
            )
        ]


KIND = Stop()


def _all_answered(evidence: Evidence) -> bool:
    return bool(evidence.claims) and all(claim.get("verdict") in ("supported", "refuted") for claim in evidence.claims)
