"""When not to answer: a threshold on the model's confidence, chosen on validation rows, and how risk falls with it.

Selective classification (El-Yaniv & Wiener 2010; Geifman & El-Yaniv 2017, arXiv:1705.08500): rows below the threshold
are handed to a person. Asked for is either a coverage (the share that is answered) or a risk (the share of errors among
the answered).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from provetune.core.protocols import Array

NEVER = 2.0
"""A threshold that no confidence reaches."""


@dataclass(frozen=True)
class CurvePoint:
    """The surest rows up to a coverage.

    Attributes:
        coverage: share of rows that are answered.
        threshold: the least confidence among them.
        answered: how many they are.
        errors: how many of them are wrong.
    """

    coverage: float
    threshold: float
    answered: int
    errors: float

    @property
    def risk(self) -> float:
        """Share of errors among the answered; 0 where none is."""
        return self.errors / self.answered if self.answered else 0.0


def threshold_for_coverage(confidence: Array, coverage: float) -> float:
    """The highest threshold that at least this share of the rows reaches.

    Args:
        confidence: (N,).
        coverage: above 0, at most 1.

    Raises:
        ValueError: `coverage` is outside its range.
    """
    if not 0 < coverage <= 1:
        raise ValueError(f"coverage must be above 0 and at most 1. Got {coverage!r} instead.")
    if len(confidence) == 0 or coverage == 1:
        return 0.0
    ordered = np.sort(confidence)[::-1]
    wanted = math.ceil(coverage * len(ordered) - 1e-9)
    return _below(ordered, wanted)


def threshold_for_risk(confidence: Array, errors: Array, risk: float, certainty: float | None = None) -> float:
    """The lowest threshold at which the share of errors among the answered is at most `risk`; `NEVER` if there is none.

    Without `certainty` it is the share on these rows, which other rows exceed about every other time. With it, the
    share on other rows of the kind stays at or under `risk` with that probability: by Clopper and Pearson's bound at
    the coverages of a bisection, each at a share of the error (the SGR algorithm of Geifman & El-Yaniv 2017).

    Args:
        confidence: (N,).
        errors: 1 where the answer is wrong, (N,).
        risk: between 0 and 1.
        certainty: between 0 and 1.

    Raises:
        ValueError: `risk` or `certainty` is outside its range.
    """
    if not 0 < risk < 1:
        raise ValueError(f"risk must be between 0 and 1. Got {risk!r} instead.")
    if certainty is not None and not 0 < certainty < 1:
        raise ValueError(f"certainty must be between 0 and 1. Got {certainty!r} instead.")
    if len(confidence) == 0:
        return NEVER
    order = np.argsort(-np.asarray(confidence), kind="stable")
    ordered, wrong = np.asarray(confidence)[order], np.cumsum(np.asarray(errors)[order])
    ends = np.flatnonzero(np.append(ordered[:-1] > ordered[1:], True)) + 1  # sets that a threshold can cut off
    if certainty is None:
        good = ends[wrong[ends - 1] <= risk * ends + 1e-9]
        return _below(ordered, int(good[-1])) if len(good) else NEVER
    chosen = _guaranteed(ends, wrong, risk, 1 - certainty)
    return _below(ordered, chosen) if chosen else NEVER


def curve(confidence: Array, errors: Array, coverages: Array | None = None) -> list[CurvePoint]:
    """The risk–coverage curve at some coverages, in tenths when left out.

    Rows of one confidence stand or fall together, so that the coverage of a point may be larger than asked for.
    """
    wanted = np.arange(0.1, 1.05, 0.1) if coverages is None else np.asarray(coverages)
    order = np.argsort(-np.asarray(confidence), kind="stable")
    ordered, wrong = np.asarray(confidence)[order], np.cumsum(np.asarray(errors, dtype=np.float64)[order])
    points = []
    for coverage in wanted if len(ordered) else ():
        least = ordered[max(1, math.ceil(coverage * len(ordered) - 1e-9)) - 1]
        count = int(np.searchsorted(-ordered, -least, side="right"))
        points.append(CurvePoint(count / len(ordered), float(least), count, float(wrong[count - 1])))
    return points


def _below(ordered: Array, count: int) -> float:
    """A threshold that the first `count` of descending confidences reach: midway to the next one."""
    last = ordered[count - 1]
    following = ordered[count:][ordered[count:] < last]
    if len(following) == 0:
        return 0.0
    middle = (last + following[0]) / 2
    return float(middle if following[0] < middle else last)


def _guaranteed(ends: Array, wrong: Array, risk: float, error: float) -> int:
    """Rows of the largest set whose bounded risk is small enough, as bisection finds it; 0 for none."""
    from scipy.stats import beta

    rounds = max(1, math.ceil(math.log2(len(ends) + 1)))
    least, most, found = 0, len(ends) - 1, 0
    for _ in range(rounds):
        if least > most:
            break
        middle = (least + most) // 2
        count, mistakes = int(ends[middle]), float(wrong[ends[middle] - 1])
        bound = 1.0 if mistakes >= count else float(beta.ppf(1 - error / rounds, mistakes + 1, count - mistakes))
        if bound <= risk:
            found, least = count, middle + 1
        else:
            most = middle - 1
    return found
