"""Bounds of a share near its end, where the normal curve promises too much.

48 of 50 right answers have so small a scatter that the normal curve excludes 0.90, which they come from one time in
nine; 20 of 20 have none at all. Korn and Graubard (1998) bound a share by the beta quantiles of Clopper and Pearson
(1934) at the number of independent rows that would scatter as much,

    n_e = (θ(1 − θ) / V) · (z / q)²

which lets in whatever widens V (seeds, groups), and by q, the seeds' mixed quantile, the roughness of their part.
Departures: it is laid over every score between 0 and 1 that is made of label counts (F1 too), and a bound is the
farther one of this and the evidence's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, isfinite, log
from statistics import NormalDist

from provetune.statistics.crossed import Estimate
from provetune.statistics.mixture import mixed_quantile

_NORMAL = NormalDist()
_SMALLEST_P = 1e-12


def share_lower(share: float, size: float, confidence: float) -> float:
    """ "At least this", one-sided, of a share found in `size` independent rows, which need not be a whole number."""
    from scipy.special import betaincinv

    if size <= 0 or share <= 0:
        return 0.0
    return float(betaincinv(share * size, (1 - share) * size + 1, 1 - confidence))


def share_upper(share: float, size: float, confidence: float) -> float:
    """ "At most this", one-sided."""
    return 1 - share_lower(1 - share, size, confidence)


def effective_rows(share: float, variance: float, units: int, most: float | None = None) -> float:
    """Independent rows that would scatter as much, n_e; 0 where the scatter is endless.

    Args:
        variance: of the share, as estimated from the units (which divides by one less than there are).
        units: independent rows, or groups of them; where the share is 0 or 1, as many rows it rests on.
        most: no more than this; the units when left out.
    """
    if not isfinite(variance):
        return 0.0
    if variance <= 0 or not 0 < share < 1:
        return float(units)
    return min(share * (1 - share) / (variance * (1 - 1 / units)), float(units) if most is None else most)


@dataclass(frozen=True)
class ShareEvidence:
    """Evidence for one candidate's share, with these bounds laid over it.

    Attributes:
        inner: the crossed estimate.
        units: independent rows that it is about.
    """

    inner: Estimate
    units: int

    @property
    def effect(self) -> float:
        return self.inner.effect

    def lower(self, confidence: float) -> float:
        """ "At least this", one-sided."""
        return min(self.inner.lower(confidence), share_lower(self._share, self._size(confidence), confidence))

    def upper(self, confidence: float) -> float:
        """ "At most this", one-sided."""
        return max(self.inner.upper(confidence), share_upper(self._share, self._size(confidence), confidence))

    def interval(self, confidence: float) -> tuple[float, float]:
        """Two-sided."""
        one_sided = (1 + confidence) / 2
        return self.lower(one_sided), self.upper(one_sided)

    def p_above(self, margin: float) -> float:
        """p-value of "the share is above the margin": `lower` at confidence 1 − p is the margin."""
        return max(self.inner.p_above(margin), self._p(self._share, margin))

    def p_below(self, margin: float) -> float:
        """p-value of "the share is below the margin"."""
        return max(self.inner.p_below(margin), self._p(1 - self._share, 1 - margin))

    @property
    def _share(self) -> float:
        return min(max(self.inner.effect, 0.0), 1.0)

    def _size(self, confidence: float) -> float:
        if self.inner.variance <= 0:
            return float(self.units)
        size = effective_rows(self._share, self.inner.variance, self.units, float(self.units * self.inner.left.seeds))
        found = self.inner
        # That rows are few and far out is what the beta quantiles are for: only the seeds' roughness is left.
        quantile = float(mixed_quantile(confidence, found.seeds_variance, found.rows_variance, found.freedom))
        return size * (_NORMAL.inv_cdf(confidence) / quantile) ** 2

    def _p(self, share: float, margin: float) -> float:
        """How rarely chance alone would put the share so far above the margin."""
        from scipy.optimize import brentq

        if margin >= share:
            return 1.0

        def beyond(log_p: float) -> float:
            confidence = 1 - exp(log_p)
            return share_lower(share, self._size(confidence), confidence) - margin

        low, high = log(_SMALLEST_P), log(0.499)
        if beyond(low) >= 0:
            return _SMALLEST_P
        if beyond(high) <= 0:
            return 0.5
        return float(exp(brentq(beyond, low, high, xtol=1e-12, rtol=1e-12)))


def of_share(found: Estimate, units: int) -> ShareEvidence:
    """Evidence for a claim that one candidate's share reaches a level.

    Raises:
        ValueError: no rows, or an estimate of a difference.
    """
    if units < 1 or found.right is not None:
        raise ValueError(f"A share has rows and no other side. Got {units} rows, right side {found.right} instead.")
    return ShareEvidence(found, units)
