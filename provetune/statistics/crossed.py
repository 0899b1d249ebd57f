"""How sure a comparison of two *procedures* is: seeds crossed with test rows.

Model: ``y[c, s, i] = μ_c + α_cs + β_ci + ε_csi`` for candidate c, seed s, test row i; D = mean_A − mean_B. Seeds are
nested in a candidate, rows are shared by all. This is radiology's problem of many readers and many cases
(Dorfman, Berbaum and Metz 1992; Obuchowski and Rockette 1995; Hillis 2014), with runs in the place of readers:

    V_s = s_A²/k_A + s_B²/k_B                                     variance that seeds bring
    T   = max(S_r²/n − e_A²/(k_A n) − e_B²/(k_B n), 0)            variance that rows bring
    ν   = V_s² / Σ_c [(s_c²/k_c)² / (k_c − 1)]                    Welch, of the seeds alone
    ν_r = 2 / (max(κ, 0)/n + 2/(n − 1))                           of the rows, κ their excess kurtosis
    q   = (V_s · t[p, ν] + T · t[p, ν_r]) / (V_s + T)             Cochran and Cox's mixture

where s_c² is the variance of seed scores, r_i the rows' differences averaged over seeds, S_r² their variance and κ
their excess kurtosis; e_c² is the residual of seeds by rows (it sits in s_c² as in S_r², hence is taken away once). The
bound is D ± q·√(V_s + T).

Departures: readers' methods test with Satterthwaite's degrees of freedom for the sum, which is slightly too bold with
three seeds; Cochran and Cox's mixture is not. They take rows for many and normal. Rows on which good candidates differ
are few and far out, so that a variance found in 200 of them is as rough as that of 15 normal ones; ν_r says so (2/ν_r
is the squared coefficient of variation of S_r²), is n − 1 for normal rows, and matters little from 2,000 rows on. Seed
variances are not pooled between candidates. `docs/concepts/verdict.md` has all of these rules, simulated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from provetune.core.errors import UsageError
from provetune.statistics.mixture import exceedance, mixed_quantile

if TYPE_CHECKING:
    from provetune.core.protocols import Array

TINY = 1e-12


@dataclass(frozen=True)
class Parts:
    """What the runs of one candidate say.

    Attributes:
        seeds: runs, 1 for a candidate that knows no chance.
        score: mean over the runs.
        seed_scores: the score of each run.
        seed_variance: s², of the runs' scores; 0 with one run.
        residual: e², of a single row in a single run beyond row and run; 0 with one run.
    """

    seeds: int
    score: float
    seed_scores: tuple[float, ...]
    seed_variance: float
    residual: float


@dataclass(frozen=True)
class Estimate:
    """A difference of two candidates, or the score of one, with the variance that seeds and rows bring.

    Attributes:
        effect: D = left − right, or the left score where there is no right.
        seeds_variance: V_s.
        rows_variance: T; infinite with a single row.
        freedom: ν, infinite where seeds bring no variance.
        rows: independent rows, or groups of rows.
        rows_freedom: ν_r; infinite where it is not known, which makes the rows' t a normal.
    """

    effect: float
    seeds_variance: float
    rows_variance: float
    freedom: float
    rows: int
    left: Parts
    right: Parts | None = None
    rows_freedom: float = float("inf")

    @property
    def variance(self) -> float:
        """Of the effect: V_s + T."""
        return self.seeds_variance + self.rows_variance

    def quantile(self, p: float) -> float:
        """q(p), by which the standard error is multiplied."""
        return float(mixed_quantile(p, *self._mixture))

    def lower(self, confidence: float) -> float:
        """ "At least this", one-sided."""
        return self._reach(-1, confidence)

    def upper(self, confidence: float) -> float:
        """ "At most this", one-sided."""
        return self._reach(1, confidence)

    def interval(self, confidence: float) -> tuple[float, float]:
        """Two-sided."""
        one_sided = (1 + confidence) / 2
        return self.lower(one_sided), self.upper(one_sided)

    def p_above(self, margin: float) -> float:
        """p-value of "the effect is above the margin": `lower` at confidence 1 − p is the margin.

        Without any variance the sign decides (0 or 1), and an effect that equals the margin shows nothing (1).
        """
        return self._p(self.effect - margin, margin)

    def p_below(self, margin: float) -> float:
        """p-value of "the effect is below the margin"."""
        return self._p(margin - self.effect, margin)

    def _reach(self, sign: int, confidence: float) -> float:
        _check_confidence(confidence)
        if self.variance == 0:
            return self.effect
        if not np.isfinite(self.variance):
            return sign * float("inf")
        return self.effect + sign * self.quantile(confidence) * float(np.sqrt(self.variance))

    @property
    def _mixture(self) -> tuple[float, float, float, float]:
        return self.seeds_variance, self.rows_variance, self.freedom, self.rows_freedom

    def _p(self, distance: float, margin: float) -> float:
        if not np.isfinite(self.variance):
            return 1.0
        if self.variance == 0:
            return 0.0 if distance > TINY * max(1.0, abs(self.effect), abs(margin)) else 1.0
        return exceedance(distance / float(np.sqrt(self.variance)), *self._mixture)


@dataclass(frozen=True)
class Components:
    """The sums behind estimates, an array a field, of the shape that stands before seeds and rows."""

    effect: Array
    seeds_variance: Array
    rows_variance: Array
    freedom: Array
    rows_freedom: Array


def estimate(
    left: Array, right: Array | None = None, *, groups: Array | None = None, unit: float | None = None
) -> Estimate:
    """The difference of two candidates over runs and rows, or the score of one.

    Args:
        left: what every run (first axis) scores on every row, (k_A, n); the row means are the runs' scores. For a
            metric that is not a mean: each row's contribution (`provetune.statistics.contributions`). Runs that
            derive from the same training (quantised against original) are subtracted first and judged alone.
        right: the same of the other candidate, (k_B, n), on the same rows.
        groups: number of each row's group, (n,); rows of one group are not independent of each other.
        unit: by how much one row can move, where that is known: 1 for accuracy. The variance is then taken to be no
            less than what two rows that differ by it, one each way, would bring (2·unit²/n²). Two hundred rows without
            a single disagreement have no variance, and would prove any margin.

    Raises:
        UsageError: arrays that do not fit together, no rows, or figures that are not finite.
    """
    left = _checked("left", left)
    right = None if right is None else _checked("right", right)
    if right is not None and right.shape[1] != left.shape[1]:
        raise UsageError(f"left and right must have the same rows. Got {left.shape[1]} and {right.shape[1]} instead.")
    if groups is not None:
        if np.shape(groups) != (left.shape[1],):
            raise UsageError(f"groups must have one number a row. Got shape {np.shape(groups)} instead.")
        left = group_sums(left, groups)
        right = None if right is None else group_sums(right, groups)
    parts = [_parts(values) for values in (left, right) if values is not None]
    found = cross(left, right)
    seeds_variance, rows_variance = _without_rounding(found, left, right)
    if unit is not None:
        rows_variance = max(rows_variance, 2 * (unit / left.shape[1]) ** 2 - seeds_variance)
    freedom = float(found.freedom) if seeds_variance > 0 else float("inf")
    other = parts[1] if right is not None else None
    rows, rows_freedom = left.shape[1], float(found.rows_freedom)
    return Estimate(float(found.effect), seeds_variance, rows_variance, freedom, rows, parts[0], other, rows_freedom)


def estimate_resampled(
    left_scores: Array | Sequence[float],
    left_draws: Array,
    right_scores: Array | Sequence[float] | None = None,
    right_draws: Array | None = None,
    *,
    rows: int = 1,
) -> Estimate:
    """The same for a metric that is no function of sums: rows resampled within crossed seeds.

    Var over draws of the difference of the candidates' means stands for S_r²/n; the residual of draws by seeds for
    e²/n.

    Args:
        left_scores: each run's score on all rows, (k_A,).
        left_draws: each run's score on resampled rows, (B, k_A); a draw holds the same rows for every run.
        right_scores: of the other candidate, (k_B,).
        right_draws: (B, k_B), of the same draws.
        rows: how many rows (or groups) there are; what settles a claim is reckoned in these.

    Raises:
        UsageError: arrays that do not fit together, or fewer than two draws.
    """
    sides = [_checked_draws("left", left_scores, left_draws)]
    if right_scores is not None and right_draws is not None:
        sides.append(_checked_draws("right", right_scores, right_draws))
    if len({len(draws) for _, draws in sides}) > 1:
        raise UsageError("left and right must have the same draws.")
    parts = []
    for scores, draws in sides:
        residual = float(_residual(draws.T)) * rows
        parts.append(Parts(len(scores), float(scores.mean()), tuple(scores), float(_variance(scores)), residual))
    moved = sides[0][1].mean(axis=1) - (sides[1][1].mean(axis=1) if len(sides) > 1 else 0.0)
    over = sum(part.residual / rows / part.seeds for part in parts)
    shares = [part.seed_variance / part.seeds for part in parts]
    effect = parts[0].score - (parts[1].score if len(parts) > 1 else 0.0)
    rows_variance = max(float(_variance(moved)) - over, 0.0)
    freedom = float(_freedom([np.asarray(share) for share in shares], [part.seeds for part in parts]))
    return Estimate(effect, sum(shares), rows_variance, freedom, rows, parts[0], parts[1] if len(parts) > 1 else None)


def cross(left: Array, right: Array | None = None) -> Components:
    """Effect, V_s, T, ν and ν_r of many studies at once: seeds and rows are the last two axes, (…, k, n)."""
    sides = [values for values in (left, right) if values is not None]
    count = left.shape[-1]
    scores = [values.mean(axis=-1) for values in sides]
    shares = [_variance(score) / score.shape[-1] for score in scores]
    by_row = [values.mean(axis=-2) for values in sides]
    between = by_row[0] - by_row[1] if right is not None else by_row[0]
    effect = scores[0].mean(axis=-1) - (scores[1].mean(axis=-1) if right is not None else 0.0)
    if count < 2:
        rows_variance: Array = np.full(np.shape(effect), np.inf)
    else:
        over = sum(_residual(values) / (values.shape[-2] * count) for values in sides)
        rows_variance = np.maximum(_variance(between) / count - over, 0.0)
    freedom = _freedom(shares, [score.shape[-1] for score in scores])
    return Components(np.asarray(effect), np.asarray(sum(shares)), rows_variance, freedom, _rows_freedom(between))


def group_sums(values: Array, groups: Array) -> Array:
    """Rows of one group as one: θ_s + (G/n)·Σ_{i∈g}(y_i − θ_s), (k, n) to (k, G). Their mean is θ_s again."""
    names, numbers = np.unique(groups, return_inverse=True)
    scores = values.mean(axis=1, keepdims=True)
    sums = np.stack([np.bincount(numbers, row, minlength=len(names)) for row in values - scores])
    grouped: Array = scores + sums * (len(names) / values.shape[1])
    return grouped


def _parts(values: Array) -> Parts:
    scores = values.mean(axis=1)
    residual = float(_residual(values)) if values.shape[1] > 1 else 0.0
    return Parts(len(scores), float(scores.mean()), tuple(map(float, scores)), float(_variance(scores)), residual)


def _variance(values: Array) -> Array:
    """Over the last axis; exactly 0 where all are the same, which rounding would hide."""
    if values.shape[-1] < 2:
        return np.zeros(values.shape[:-1])
    found: Array = (values - values[..., :1]).var(axis=-1, ddof=1)
    return found


def _rows_freedom(values: Array) -> Array:
    """ν_r over the last axis: 2 / (excess kurtosis/n + 2/(n − 1)); at most n − 1, 1 where there are too few."""
    count = values.shape[-1]
    if count < 3:
        return np.ones(values.shape[:-1])
    away = values - values.mean(axis=-1, keepdims=True)
    # Kurtosis has no unit, and fourth powers of small values would be 0: the largest value is made 1 first.
    largest = np.abs(away).max(axis=-1, keepdims=True)
    squares = np.divide(away, largest, out=np.zeros_like(away, dtype=float), where=largest > 0) ** 2
    second, fourth = squares.mean(axis=-1), np.einsum("...i,...i->...", squares, squares) / count
    excess = np.divide(fourth, second**2, out=np.full(np.shape(second), 3.0), where=second > 0) - 3
    found: Array = 2 / (np.maximum(excess, 0.0) / count + 2 / (count - 1))
    return found


def _residual(values: Array) -> Array:
    """e² of (…, k, n): what is left of each figure beyond its seed and its row."""
    seeds, rows = values.shape[-2:]
    if seeds < 2:
        return np.zeros(values.shape[:-2])
    within = values - values.mean(axis=-1, keepdims=True)
    by_row = within.mean(axis=-2)
    squares = np.einsum("...si,...si->...", within, within) - seeds * np.einsum("...i,...i->...", by_row, by_row)
    found: Array = np.maximum(squares, 0.0) / ((seeds - 1) * (rows - 1))
    return found


def _freedom(shares: Sequence[Array], seeds: Sequence[int]) -> Array:
    """Welch's degrees of freedom; infinite where no seed varies."""
    over = sum(shares) ** 2
    under = sum(share**2 / (count - 1) for share, count in zip(shares, seeds, strict=True) if count > 1)
    under = np.broadcast_to(np.asarray(under, dtype=np.float64), np.shape(over))
    found: Array = np.divide(over, under, out=np.full(np.shape(over), np.inf), where=under > 0)
    return found


def _without_rounding(found: Components, left: Array, right: Array | None) -> tuple[float, float]:
    """V_s and T, each 0 where it is what rounding leaves of figures this large."""
    size = max(float(np.abs(values).max()) for values in (left, right) if values is not None)
    noise = (TINY * max(size, 1e-300)) ** 2
    seeds_variance, rows_variance = float(found.seeds_variance), float(found.rows_variance)
    return (
        seeds_variance if seeds_variance > noise else 0.0,
        rows_variance if rows_variance > noise else 0.0,
    )


def _checked(name: str, values: Array) -> Array:
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or 0 in values.shape:
        raise UsageError(f"{name} must be runs by rows, at least one of each. Got shape {values.shape} instead.")
    if not np.isfinite(values).all():
        raise UsageError(f"{name} must hold finite figures.", hint="Look for rows without an outcome.")
    return values


def _checked_draws(name: str, scores: Array | Sequence[float], draws: Array) -> tuple[Array, Array]:
    scores, draws = np.asarray(scores, dtype=np.float64), np.asarray(draws, dtype=np.float64)
    if draws.ndim != 2 or len(draws) < 2 or scores.shape != draws.shape[1:]:
        raise UsageError(
            f"{name} draws must be draws by runs, at least two draws. Got {scores.shape} and {draws.shape} instead."
        )
    return scores, draws


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise UsageError(f"confidence must be between 0 and 1. Got {confidence} instead.")
