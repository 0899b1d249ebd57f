"""Scores on resampled rows, for metrics that are no function of sums: calibration error (ECE).

Every run of every candidate is scored on the same draws: rows are resampled once for all, seeds stay crossed with them.
ECE is biased upwards where rows are few, the more so on resampled rows; the draws give its variance, not its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from provetune.core.errors import UsageError
from provetune.statistics.probability_scores import BINS, bin_numbers, judgements
from provetune.statistics.rows import RESAMPLES, RESAMPLING_SEED

if TYPE_CHECKING:
    from provetune.core.protocols import Array
    from provetune.statistics.rows import JudgedRows

RESAMPLED = ("ece",)
_AT_ONCE = 4_000_000


def draw_scores(
    metric: str, seeds: Sequence[JudgedRows], resamples: int = RESAMPLES, seed: int = RESAMPLING_SEED
) -> tuple[Array, Array]:
    """Scores of every run on all rows, (k,), and on resampled rows, (B, k).

    Candidates judged on the same rows get the same draws when `resamples` and `seed` are the same. With groups, groups
    are drawn.

    Raises:
        UsageError: a metric that is not resampled, no runs, runs on different rows, or rows without probabilities.
    """
    if metric not in RESAMPLED:
        raise UsageError(f"'{metric}' is not judged by resampling.", hint=f"Only {', '.join(RESAMPLED)} is.")
    if not seeds or len(seeds[0]) == 0:
        raise UsageError(f"'{metric}' needs at least one run and one row.")
    if any(not np.array_equal(rows.labels, seeds[0].labels) for rows in seeds[1:]):
        raise UsageError("Runs must be judged on the same rows in the same order.")
    if resamples < 2:
        raise UsageError(f"resamples must be at least 2. Got {resamples} instead.")
    numbers, units = _units(seeds[0])
    sums = np.stack([_gaps(rows, numbers, units) for rows in seeds])
    sizes = np.bincount(numbers, minlength=units) * float(seeds[0].labels[0].size)
    scores = np.abs(sums.sum(axis=1)).sum(axis=-1) / sizes.sum()
    flat = np.ascontiguousarray(sums.transpose(1, 0, 2).reshape(units, -1))
    draws = np.empty((resamples, len(seeds)))
    random = np.random.default_rng(seed)
    step = max(1, _AT_ONCE // units)
    for start in range(0, resamples, step):
        counts = _counts(random, min(step, resamples - start), units)
        gaps = np.abs(counts @ flat).reshape(len(counts), len(seeds), -1).sum(axis=-1)
        draws[start : start + step] = gaps / (counts @ sizes)[:, None]
    return scores, draws


def _units(rows: JudgedRows) -> tuple[Array, int]:
    if rows.groups is None:
        return np.arange(len(rows)), len(rows)
    names, numbers = np.unique(rows.groups, return_inverse=True)
    return numbers, len(names)


def _gaps(rows: JudgedRows, numbers: Array, units: int) -> Array:
    """Confidence less rightness, summed within each unit and bin, (units, bins)."""
    if rows.probabilities is None:
        raise UsageError("'ece' needs probabilities, and these outcomes have none.")
    confidences, right = judgements(rows.labels, rows.probabilities)
    bins = bin_numbers(confidences).reshape(len(rows), -1)
    sums = np.zeros((units, BINS))
    gaps = (confidences - right).reshape(len(rows), -1)
    np.add.at(sums, (np.repeat(numbers, bins.shape[1]), bins.ravel()), gaps.ravel())
    return sums


def _counts(random: np.random.Generator, draws: int, units: int) -> Array:
    """How often each unit is drawn, (draws, units)."""
    drawn = random.integers(0, units, (draws, units)) + units * np.arange(draws)[:, None]
    return np.bincount(drawn.ravel(), minlength=draws * units).reshape(draws, units).astype(np.float64)
