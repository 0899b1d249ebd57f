"""Quantiles of Cochran and Cox's mixture: a t for the seeds' share of the variance, another for the rows'."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from provetune.core.protocols import Array

# Below it the inverse of t is no longer exact, and nobody asks.
SMALLEST_P = 1e-150
NEVER_ENDING = float("inf")


def mixed_quantile(
    p: Array | float,
    seeds_variance: Array | float,
    rows_variance: Array | float,
    freedom: Array | float,
    rows_freedom: Array | float = NEVER_ENDING,
) -> Array:
    """q(p) = (V_s·t[p, ν] + T·t[p, ν_r]) / (V_s + T), elementwise; of the rows alone where there is no variance at all.

    The t of infinite degrees of freedom is the normal.
    """
    total = np.asarray(seeds_variance, dtype=np.float64) + rows_variance
    share = np.divide(seeds_variance, total, out=np.zeros(np.shape(total)), where=(total > 0) & np.isfinite(total))
    found: Array = share * _student(p, freedom) + (1 - share) * _student(p, rows_freedom)
    return found


def exceedance(
    reach: float, seeds_variance: float, rows_variance: float, freedom: float, rows_freedom: float = NEVER_ENDING
) -> float:
    """The p for which q(1 − p) = `reach`: how rarely chance alone would reach so far.

    Found between the normal's tail and the thicker t's, which enclose it.
    """
    from scipy.optimize import brentq
    from scipy.special import ndtr, stdtr

    far = abs(reach)
    if far == 0:
        return 0.5
    least = min(freedom, rows_freedom)
    thin = float(ndtr(-far))
    thick = float(stdtr(least, -far)) if np.isfinite(least) else thin
    thin, thick = max(thin, SMALLEST_P), max(thick, SMALLEST_P)

    def beyond(log_p: float) -> float:
        quantile = mixed_quantile(np.exp(log_p), seeds_variance, rows_variance, freedom, rows_freedom)
        return -float(quantile) - far

    low, high = np.log(thin), np.log(thick)
    if beyond(low) <= 0:
        tail = thin
    elif beyond(high) >= 0:
        tail = thick
    else:
        tail = float(np.exp(brentq(beyond, low, high, xtol=1e-14, rtol=1e-13)))
    return tail if reach > 0 else 1 - tail


def _student(p: Array | float, freedom: Array | float) -> Array:
    """Quantile of t, by its lower tail, where the inverse is exact for the smallest p."""
    from scipy.special import ndtri, stdtrit

    p = np.asarray(p, dtype=np.float64)
    tail = np.minimum(p, 1 - p)
    ends = np.isfinite(freedom)
    found: Array = np.where(ends, stdtrit(np.where(ends, freedom, 1.0), tail), ndtri(tail))
    return np.where(p > 0.5, -found, found)
