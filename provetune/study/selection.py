"""Which candidate is best, and which of its runs becomes the bundle: by validation alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from provetune.core.errors import UsageError
from provetune.core.protocols import Metric, TrialRecord


@dataclass(frozen=True)
class Best:
    """The chosen candidate and the run whose bundle stands for it."""

    candidate: str
    trial: TrialRecord


def choose_best(
    trials: Mapping[str, Sequence[TrialRecord]], primary: Metric, costs: Mapping[str, tuple[float, ...]]
) -> Best:
    """The candidate with the best mean validation score, ties to the cheaper, with its median run.

    Args:
        trials: finished runs of each candidate.
        primary: the metric, and which direction of it is better.
        costs: what each candidate costs to use and to train, compared in order.

    Raises:
        UsageError: no run has finished.
    """
    sign = 1.0 if primary.higher_is_better else -1.0
    finished = {name: runs for name, runs in trials.items() if runs}
    if not finished:
        raise UsageError("No run has finished, so there is nothing to choose from.")

    def rank(name: str) -> tuple[float, ...]:
        mean = fmean(run.scores[primary.name] for run in finished[name])
        # Means of equal scores may differ in their last bit by the order they are summed in.
        return (-sign * round(mean, 12), *costs[name])

    candidate = min(finished, key=rank)
    return Best(candidate, median_run(finished[candidate], primary))


def median_run(runs: Sequence[TrialRecord], primary: Metric) -> TrialRecord:
    """The run with the median score; of two middle ones the lower, of equal ones the earlier."""
    ordered = sorted(runs, key=lambda run: (run.scores[primary.name] * (1 if primary.higher_is_better else -1), run.k))
    return ordered[(len(ordered) - 1) // 2]
