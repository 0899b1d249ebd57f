"""Ridge regression on dense or sparse features: numbers instead of labels, one or several a row.

The objective is scikit-learn's with alpha = 1/C, on numbers that are brought to mean 0 and spread 1 first, so that one
C suits pounds and pence: ``C · Σ ½ (error / spread)² + ½ ‖W‖²`` with a free intercept. The minimum is found by
truncated Newton (`provetune.models.newton`), whose conjugate gradients need no second moments of the features; those of
narrow dense features are formed all the same, as one step is then exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.models.log_loss import Features, add_product, row_blocks
from provetune.models.logistic import Linear, choose_strength
from provetune.models.newton import Expansion, minimise

if TYPE_CHECKING:
    from provetune.core.protocols import Array

VALUES = "regression"
"""`Targets.kind` of labels that are numbers."""

# Of the mean squared error of a row over the spread: what is left of it is far below what rows can tell apart.
_FINE = 1e-6
_WIDEST_INVERSE = 2048


def fit_ridge(
    features: Features, values: Array, *, strength: float, start: Linear | None = None, most_steps: int = 50
) -> Linear:
    """The minimiser of the regularised squared error.

    Args:
        features: (N, D).
        values: numbers (N, C), without gaps.
        strength: C of the objective, the inverse of the regularisation; larger fits closer.
        start: where to start from.
        most_steps: stops after so many steps in any case.

    Raises:
        ValueError: the shapes do not fit, a value is missing, or `strength` is not positive.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or len(values) != features.shape[0]:
        raise ValueError(f"values must be ({features.shape[0]}, numbers). Got {values.shape} instead.")
    if not np.isfinite(values).all():
        raise ValueError("values must be finite, every one.")
    if not strength > 0:
        raise ValueError(f"strength must be positive. Got {strength!r} instead.")
    means, spreads = values.mean(axis=0), values.std(axis=0)
    spreads[spreads == 0] = 1.0
    loss = SquaredLoss(features, ((values - means) / spreads).astype(np.float32), strength)
    first = np.zeros((features.shape[1] + 1, values.shape[1]), dtype=np.float32)
    if start is not None:
        first[:-1], first[-1] = (start.weight / spreads[:, None]).T, (start.bias - means) / spreads
    found = minimise(loss, first, _FINE, most_steps).astype(np.float64)
    weight, bias = found[:-1].T * spreads[:, None], found[-1] * spreads + means
    return Linear(np.ascontiguousarray(weight, dtype=np.float32), bias.astype(np.float32))


def fit_ridge_chosen(
    features: Features,
    values: Array,
    *,
    strength: float | None,
    strengths: Sequence[float],
    default: float,
    validation: tuple[Features, Array] | None = None,
) -> tuple[float, Linear]:
    """A fit with the given strength, or with the one of `strengths` whose squared error on validation rows is least.

    Args:
        features, values: as `fit_ridge` takes them.
        strength: C of the objective; None chooses.
        strengths: what is tried, ascending.
        default: taken where there is nothing to choose by.
        validation: features and values.

    Returns:
        The strength and the fitted layer.
    """
    if strength is not None or validation is None or not validation[0].shape[0]:
        chosen = default if strength is None else strength
        return chosen, fit_ridge(features, values, strength=chosen)
    held_out, answers = validation
    spreads = np.asarray(values, dtype=np.float64).std(axis=0)
    spreads[spreads == 0] = 1.0

    def judge(layer: Linear) -> tuple[float, ...]:
        return (-float(np.nanmean(((layer.logits(held_out) - answers) / spreads) ** 2)),)

    return choose_strength(
        strengths, lambda wanted, begin: fit_ridge(features, values, strength=wanted, start=begin), judge
    )


class SquaredLoss:
    """Half the mean squared error plus penalty, over parameters (D + 1, C) whose last row is the intercept.

    Args:
        features: (N, D).
        values: (N, C), float32.
        strength: the inverse of the regularisation.
    """

    def __init__(self, features: Features, values: Array, strength: float) -> None:
        self.features, self.values = features, values
        self.count = max(1, features.shape[0])
        self.penalty = 1.0 / (strength * self.count)
        self._inverse: Callable[[Array], Array] | None = None

    def value(self, point: Array) -> float:
        """The loss at a point."""
        errors = sum((float(np.vdot(one, one)) for _, one in self._errors(point)), 0.0)
        return self._total(errors, point)

    def expand(self, point: Array) -> Expansion:
        """The loss near a point."""
        gradient, errors = np.zeros_like(point), 0.0
        for matrix, one in self._errors(point):
            errors += float(np.vdot(one, one))
            add_product(gradient, matrix, one / np.float32(self.count))
        gradient[:-1] += np.float32(self.penalty) * point[:-1]
        return Expansion(self._total(errors, point), gradient, self._curved, self._precondition)

    def _total(self, errors: float, point: Array) -> float:
        return float(0.5 * (errors / self.count + self.penalty * float(np.vdot(point[:-1], point[:-1]))))

    def _errors(self, point: Array) -> Iterator[tuple[Any, Array]]:
        for rows, matrix in row_blocks(self.features):
            yield matrix, np.asarray(matrix @ point[:-1]) + point[-1] - self.values[rows]

    def _curved(self, direction: Array) -> Array:
        """The Hessian times a direction: the same everywhere."""
        found = np.zeros_like(direction)
        for _, matrix in row_blocks(self.features):
            change = (np.asarray(matrix @ direction[:-1]) + direction[-1]) / np.float32(self.count)
            add_product(found, matrix, change)
        found[:-1] += np.float32(self.penalty) * direction[:-1]
        return found

    def _precondition(self, direction: Array) -> Array:
        if self._inverse is None:
            self._inverse = self._exact() if self._is_narrow() else self._diagonal()
        return self._inverse(direction)

    def _is_narrow(self) -> bool:
        return isinstance(self.features, np.ndarray) and self.features.shape[1] <= _WIDEST_INVERSE

    def _exact(self) -> Callable[[Array], Array]:
        """The inverse Hessian itself."""
        extended = np.hstack([self.features, np.ones((len(self.features), 1), dtype=np.float32)])
        hessian = (extended.T @ extended).astype(np.float64) / self.count
        hessian[np.arange(len(hessian) - 1), np.arange(len(hessian) - 1)] += self.penalty
        values, vectors = np.linalg.eigh(hessian)
        scaled = vectors / np.maximum(values, 1e-12)
        return lambda direction: np.asarray(scaled @ (vectors.T @ direction), dtype=np.float32)

    def _diagonal(self) -> Callable[[Array], Array]:
        """The inverse of the Hessian's own diagonal (D + 1, 1)."""
        diagonal = np.zeros((self.features.shape[1] + 1, 1), dtype=np.float32)
        for _, matrix in row_blocks(self.features):
            squares = matrix * matrix if isinstance(matrix, np.ndarray) else matrix.multiply(matrix)
            diagonal[:-1, 0] += np.asarray(squares.sum(axis=0)).ravel() / np.float32(self.count)
        diagonal[:-1] += np.float32(self.penalty)
        diagonal[-1] = 1.0
        return lambda direction: np.asarray(direction / diagonal)
