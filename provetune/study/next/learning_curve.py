"""How the score grows with the training rows: an inverse power law, fitted and carried on.

error(n) = c + a · n^(−b), with a, c ≥ 0 (Cortes et al. 1993, "Learning curves: asymptotic values and rate of
convergence"; for annotated text Figueroa et al. 2012). Of every exponent b on a grid the best a and c are found by
non-negative least squares. Departures: the exponent is held within what has been observed for text (0.1 to 1), because
four points cannot tell a steep law that ends from a flat one that goes on; and what is reported is not the one best
fit, but the median and the interval of fits to rows and draws that are resampled together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from provetune.core.protocols import Array

EXPONENTS = np.linspace(0.1, 1.0, 19)
RESAMPLES = 400
LEAST_POINTS = 3
_SEED = 20_170_604


@dataclass(frozen=True)
class CurvePoint:
    """Scores at one number of training rows.

    Attributes:
        rows: training rows.
        contributions: of each draw and each validation row to the score (draws, M); their mean is the score.
    """

    rows: int
    contributions: Array

    @property
    def score(self) -> float:
        return float(self.contributions.mean())


@dataclass(frozen=True)
class Extrapolation:
    """What more rows are expected to bring.

    Attributes:
        rows: that it is about.
        gain: score there less the score at the last point; the median over resamples.
        low, high: 95 % interval of it.
        exponent: median b.
    """

    rows: int
    gain: float
    low: float
    high: float
    exponent: float


def extrapolate(points: Sequence[CurvePoint], rows: int) -> Extrapolation | None:
    """The gain of growing to `rows` training rows; None where the points are too few to say.

    Raises:
        ValueError: points that are not of the same validation rows, or `rows` is not beyond them.
    """
    ordered = sorted(points, key=lambda point: point.rows)
    if len({point.rows for point in ordered}) < LEAST_POINTS:
        return None
    if len({point.contributions.shape[1] for point in ordered}) > 1:
        raise ValueError("All points of a curve must be of the same validation rows.")
    if rows <= ordered[-1].rows:
        raise ValueError(f"rows must be more than {ordered[-1].rows}. Got {rows} instead.")
    sizes = np.asarray([point.rows for point in ordered], dtype=np.float64)
    errors = _resampled_errors(ordered)
    _, exponent, scale = fit_power_law(sizes, errors)
    last = sizes[-1] ** -exponent
    gains = scale * (last - float(rows) ** -exponent)
    low, middle, high = np.quantile(gains, [0.025, 0.5, 0.975])
    return Extrapolation(rows, float(middle), float(low), float(high), float(np.median(exponent)))


def fit_power_law(sizes: Array, errors: Array) -> tuple[Array, Array, Array]:
    """The best c, b and a for each row of `errors` (R, P) at the sizes (P,); each (R,)."""
    best = np.full(len(errors), np.inf)
    found = np.zeros((3, len(errors)))
    for exponent in EXPONENTS:
        shape = sizes**-exponent
        base, scale = _non_negative_line(shape, errors)
        misfit = ((errors - base[:, None] - scale[:, None] * shape) ** 2).sum(axis=1)
        better = misfit < best
        best = np.where(better, misfit, best)
        found[:, better] = np.stack([base, np.full(len(errors), exponent), scale])[:, better]
    return found[0], found[1], found[2]


def _non_negative_line(shape: Array, errors: Array) -> tuple[Array, Array]:
    """Least squares of error = base + scale · shape with both at least 0, for each row of `errors`."""
    centred = shape - shape.mean()
    scale = (errors * centred).sum(axis=1) / (centred**2).sum()
    base = errors.mean(axis=1) - scale * shape.mean()
    through_zero = np.maximum(0.0, (errors * shape).sum(axis=1) / (shape**2).sum())
    scale, base = np.where(base < 0, through_zero, scale), np.maximum(base, 0.0)
    return np.where(scale < 0, errors.mean(axis=1), base), np.maximum(scale, 0.0)


def _resampled_errors(points: Sequence[CurvePoint]) -> Array:
    """1 − score of every point in every resample (R, P): the same validation rows for all, draws anew for each."""
    random = np.random.default_rng(_SEED)
    count = points[0].contributions.shape[1]
    weights = random.multinomial(count, np.full(count, 1 / count), size=RESAMPLES) / count
    errors = np.empty((RESAMPLES, len(points)))
    for place, point in enumerate(points):
        scores = weights @ point.contributions.T
        draws = scores.shape[1]
        chosen = random.integers(0, draws, size=(RESAMPLES, draws))
        errors[:, place] = 1 - np.take_along_axis(scores, chosen, axis=1).mean(axis=1)
    return errors
