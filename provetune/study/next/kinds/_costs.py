"""What the runs of a new problem file take on this machine, from what the study's own runs took."""

from __future__ import annotations

from provetune.study.next.evidence import CandidateEvidence


def runs(one: CandidateEvidence, seeds: int, times: float = 1.0) -> float:
    """Seconds of `seeds` runs of a candidate's cost, `times` over; equal runs are trained once."""
    count = 1 if one.deterministic else seeds
    return one.run_seconds * count * times
