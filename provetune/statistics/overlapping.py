"""How sure a comparison is that rests on cross-validation: folds whose training rows overlap.

Models of different folds share most of what they learned from, so their scores rise and fall together, and no unbiased
estimate of their mean's variance exists (Bengio and Grandvalet 2004, JMLR 5). What `provetune.statistics.crossed` knows
of seeds and rows is too little: it does not know the luck of the training rows. Nadeau and Bengio (2003, Machine
Learning 52) correct for it by the size of the parts; with R runs of K folds each, the folds drawn anew for each run
(Bouckaert and Frank 2004):

    d_rf = what fold f of run r contributes to the difference; its mean over f is run r's difference
    S²   = mean over runs of the variance of d_rf over folds
    V    = S² · (1/(K·R) + ρ),   ρ = rows of a fold / rows that teach = 1/(K − 2)
    bound = D ± t[p, K − 1] · √V

Departures, both to the safe side: the degrees of freedom are those of one run, K − 1, not K·R − 1, because runs share
their rows; and the evidence is the weaker of this and the crossed one, which knows how runs scatter. The correction is
a rule of thumb: it takes the correlation of folds to be that of their sizes. Where learners are swayed by few rows it
is more, so with many folds (20, simulated) claims are supported too often; so `data.split.folds` is at most 10.
`tests/statistics/test_overlapping.py` simulates it; `docs/how_to/cross_validation.md` has the figures.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from provetune.core.errors import UsageError
from provetune.statistics.crossed import Estimate
from provetune.statistics.questions import Evidence

if TYPE_CHECKING:
    from provetune.core.protocols import Array

_SET_ASIDE = 2
"""Folds that teach nothing in a round: the one held out, and the one that validates."""


@dataclass(frozen=True)
class FoldEstimate:
    """A difference (or value) with the variance that folds bring, corrected for what they share.

    Attributes:
        effect: D, the mean over runs and rows.
        variance: V.
        folds: K.
        runs: R.
    """

    effect: float
    variance: float
    folds: int
    runs: int

    @property
    def freedom(self) -> int:
        """Degrees of freedom, K − 1."""
        return self.folds - 1

    def lower(self, confidence: float) -> float:
        """ "At least this", one-sided."""
        return self.effect - self._reach(confidence)

    def upper(self, confidence: float) -> float:
        """ "At most this", one-sided."""
        return self.effect + self._reach(confidence)

    def interval(self, confidence: float) -> tuple[float, float]:
        """Two-sided."""
        one_sided = (1 + confidence) / 2
        return self.lower(one_sided), self.upper(one_sided)

    def p_above(self, margin: float) -> float:
        """p-value of "the effect is above the margin"."""
        return self._p(self.effect - margin)

    def p_below(self, margin: float) -> float:
        """p-value of "the effect is below the margin"."""
        return self._p(margin - self.effect)

    def _reach(self, confidence: float) -> float:
        from scipy.special import stdtrit

        return float(stdtrit(self.freedom, confidence)) * float(np.sqrt(self.variance))

    def _p(self, distance: float) -> float:
        from scipy.special import stdtr

        if self.variance == 0:
            return 0.0 if distance > 0 else 1.0
        return float(stdtr(self.freedom, -distance / float(np.sqrt(self.variance))))


@dataclass(frozen=True)
class Weaker:
    """Two pieces of evidence for one thing: of each answer the one that claims less.

    Attributes:
        effect: as it is told; both are about it.
    """

    effect: float
    one: Evidence
    other: Evidence

    def lower(self, confidence: float) -> float:
        """ "At least this", one-sided."""
        return min(self.one.lower(confidence), self.other.lower(confidence))

    def upper(self, confidence: float) -> float:
        """ "At most this", one-sided."""
        return max(self.one.upper(confidence), self.other.upper(confidence))

    def interval(self, confidence: float) -> tuple[float, float]:
        """Two-sided."""
        one_sided = (1 + confidence) / 2
        return self.lower(one_sided), self.upper(one_sided)

    def p_above(self, margin: float) -> float:
        """p-value of "the effect is above the margin"."""
        return max(self.one.p_above(margin), self.other.p_above(margin))

    def p_below(self, margin: float) -> float:
        """p-value of "the effect is below the margin"."""
        return max(self.one.p_below(margin), self.other.p_below(margin))


def estimate_folds(values: Array, codes: Array, folds: int) -> FoldEstimate:
    """The difference of two candidates (or the value of one) over runs, folds and rows.

    Args:
        values: what each run (first axis) says of each row, the difference of both candidates in the same run, (R, M).
        codes: the fold that each row is in, in each run, (R, M), from 0.
        folds: K; a fold that none of these rows is in counts as one without a difference from the mean.

    Raises:
        UsageError: arrays that do not fit together, or fewer folds than three.
    """
    values, codes = np.asarray(values, dtype=np.float64), np.asarray(codes)
    if values.ndim != 2 or 0 in values.shape or codes.shape != values.shape:
        raise UsageError(f"values and codes must be runs by rows. Got {values.shape} and {codes.shape} instead.")
    if folds <= _SET_ASIDE:
        raise UsageError(f"folds must be at least {_SET_ASIDE + 1}. Got {folds} instead.")
    runs, rows = values.shape
    means = values.mean(axis=1)
    sums = np.stack(
        [np.bincount(each, value - mean, folds) for each, value, mean in zip(codes, values, means, strict=True)]
    )
    # Their mean is the run's own; its variance does not depend on what that is.
    spread = (sums * folds / rows).var(axis=1, ddof=1)
    variance = float(spread.mean()) * corrected_share(folds, runs)
    return FoldEstimate(float(means.mean()), variance, folds, runs)


def widened(expected: Estimate, folds: int, runs: int) -> Estimate:
    """What a crossed estimate is expected to be worth where its rows are held out in folds: for planning."""
    factor = folds * corrected_share(folds, runs)
    return replace(expected, rows_variance=expected.rows_variance * factor, rows_freedom=folds - 1)


def corrected_share(folds: int, runs: int) -> float:
    """What the variance between folds is multiplied by for that of the mean: 1/(K·R) + 1/(K − 2)."""
    return 1 / (folds * runs) + 1 / (folds - _SET_ASIDE)
