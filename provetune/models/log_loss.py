"""The log-loss of a linear layer, its slope and its curvature, block of rows by block of rows.

Nothing but the probabilities is kept for every row and label, and those only as long as they are few: a million rows
and a thousand labels need no more memory than one block of them, and a third product instead of two a round.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from provetune.models.newton import Expansion

if TYPE_CHECKING:
    from provetune.core.protocols import Array

Features: TypeAlias = Any
"""A float32 array (N, D), a scipy CSR matrix of that shape, or `TextRows`."""

Seen: TypeAlias = Iterator[tuple[slice, Any, "Array"]]
"""Blocks of rows: where they are, their features, their probabilities (n, C)."""

_ROWS_AT_ONCE = 16_384
_MOST_KEPT = 1 << 26
_WIDEST_INVERSE = 2048
_FLAT = 1e-6


class LogLoss:
    """Mean weighted log-loss plus penalty, over parameters (D + 1, C) whose last row is the intercept.

    Args:
        features: (N, D).
        labels: label numbers (N,): one softmax; or indicators (N, C): one sigmoid a label.
        count: C.
        weights: weight of each label (C,): of its rows, or of its positive entries; None for ones.
        strength: the inverse of the regularisation.
    """

    def __init__(self, features: Features, labels: Array, count: int, weights: Array | None, strength: float) -> None:
        self.features, self.labels, self.count = features, labels, count
        self.several = labels.ndim == 2
        self.weights = np.ones(count, dtype=np.float32) if weights is None else np.asarray(weights, dtype=np.float32)
        self.total = self._total()
        self.penalty = 1.0 / (strength * self.total)
        self._axes: tuple[Array, Array] | None = None

    def value(self, point: Array) -> float:
        """The loss at a point."""
        losses = sum(self._residuals(matrix, rows, point)[0] for rows, matrix in row_blocks(self.features))
        return float(losses) / self.total + self._regularisation(point)

    def expand(self, point: Array) -> Expansion:
        """The loss near a point."""
        gradient = np.zeros_like(point)
        keep = self.features.shape[0] * self.count <= _MOST_KEPT
        kept: list[Array] = []
        losses = 0.0
        for rows, matrix in row_blocks(self.features):
            loss, residuals, probabilities = self._residuals(matrix, rows, point)
            losses += loss
            add_product(gradient, matrix, residuals)
            if keep:
                kept.append(probabilities)
        gradient[:-1] += np.float32(self.penalty) * point[:-1]
        value = losses / self.total + self._regularisation(point)

        def seen() -> Iterator[tuple[slice, Any, Array]]:
            for number, (rows, matrix) in enumerate(row_blocks(self.features)):
                yield rows, matrix, kept[number] if keep else self._residuals(matrix, rows, point)[2]

        return Expansion(value, gradient, lambda direction: self._curved(direction, seen()), self._inverse(seen))

    def _curved(self, direction: Array, seen: Seen) -> Array:
        """The Hessian, where the probabilities are those `seen`, times a direction."""
        found = np.zeros_like(direction)
        for rows, matrix, probabilities in seen:
            change = _logits(matrix, direction)
            if self.several:
                change *= 1 - probabilities
            else:
                change -= np.einsum("nc,nc->n", change, probabilities)[:, None]
            change *= probabilities
            change *= self._importance(rows)
            add_product(found, matrix, change)
        found[:-1] += np.float32(self.penalty) * direction[:-1]
        return found

    def _inverse(self, seen: Callable[[], Seen]) -> Callable[[Array], Array]:
        """An estimate of the inverse Hessian, made when it is first asked for."""
        made: list[Callable[[Array], Array]] = []

        def precondition(direction: Array) -> Array:
            if not made:
                axes = self._shared_axes()
                made.append(self._diagonal(seen()) if axes is None else self._shared(seen(), axes))
            return made[0](direction)

        return precondition

    def _spread(self, rows: slice, probabilities: Array) -> Array:
        """What the logits' own curvature is, (n, C)."""
        return np.asarray(probabilities * (1 - probabilities) * self._importance(rows))

    def _residuals(self, matrix: Any, rows: slice, point: Array) -> tuple[float, Array, Array]:
        """Of some rows: the summed loss, its slope by the logits (n, C) over the total, the probabilities (n, C)."""
        logits = _logits(matrix, point)
        answers, importance = self.labels[rows], self._importance(rows)
        if self.several:
            entries = (np.logaddexp(0, logits) - answers * logits) * (importance * np.float32(self.total))
            probabilities = (0.5 * (1 + np.tanh(0.5 * logits))).astype(np.float32)
            return float(entries.sum(dtype=np.float64)), (probabilities - answers) * importance, probabilities
        each = np.arange(len(answers))
        logits -= logits.max(axis=1, keepdims=True)
        at_label = logits[each, answers].astype(np.float64)
        probabilities = np.exp(logits, out=logits)
        normaliser = probabilities.sum(axis=1, keepdims=True)
        losses = (np.log(normaliser[:, 0], dtype=np.float64) - at_label) * self.weights[answers]
        probabilities /= normaliser
        residuals = probabilities.copy()
        residuals[each, answers] -= 1
        residuals *= importance
        return float(losses.sum()), residuals, probabilities

    def _importance(self, rows: slice) -> Array:
        """Weight over the total of some rows (n, 1), or with several labels a row of their entries (n, C)."""
        answers = self.labels[rows]
        found = np.where(answers > 0, self.weights, np.float32(1)) if self.several else self.weights[answers][:, None]
        scaled: Array = (found / np.float32(self.total)).astype(np.float32)
        return scaled

    def _total(self) -> float:
        if not self.several:
            return float(self.weights[self.labels].sum(dtype=np.float64))
        positive = np.asarray(self.labels).sum(axis=0, dtype=np.float64)
        return len(self.labels) + float((positive * (self.weights - 1)).sum()) / self.count

    def _regularisation(self, point: Array) -> float:
        return 0.5 * self.penalty * float(np.vdot(point[:-1], point[:-1]))

    def _diagonal(self, seen: Seen) -> Callable[[Array], Array]:
        """The inverse of the Hessian's own diagonal (D + 1, C)."""
        diagonal = np.zeros((self.features.shape[1] + 1, self.count), dtype=np.float32)
        for rows, matrix, probabilities in seen:
            add_product(diagonal, _squared(matrix), self._spread(rows, probabilities))
        diagonal[:-1] += np.float32(self.penalty)
        diagonal[-1] += np.float32(_FLAT)
        inverse = np.reciprocal(diagonal, out=diagonal)
        return lambda direction: inverse * direction

    def _shared_axes(self) -> tuple[Array, Array] | None:
        """Eigenvalues and -vectors of the features' second moments (D + 1), when they are dense and not too wide."""
        if not isinstance(self.features, np.ndarray) or self.features.shape[1] > _WIDEST_INVERSE:
            return None
        if self._axes is None:
            extended = np.hstack([self.features, np.ones((len(self.features), 1), dtype=np.float32)])
            values, vectors = np.linalg.eigh((extended.T @ extended).astype(np.float64) / len(extended))
            self._axes = np.maximum(values, 0)[:, None], vectors.astype(np.float32)
        return self._axes

    def _shared(self, seen: Seen, axes: tuple[Array, Array]) -> Callable[[Array], Array]:
        """The inverse of the curvature as if it were, for each label, the same in every row (after Böhning 1992)."""
        spread = sum(self._spread(rows, probabilities).sum(axis=0) for rows, _, probabilities in seen)
        values, vectors = axes
        scale = (1 / (values * spread + self.penalty)).astype(np.float32)
        return lambda direction: vectors @ (scale * (vectors.T @ direction))


def row_blocks(features: Features) -> Iterator[tuple[slice, Any]]:
    """The rows in blocks: where they are, and their features."""
    if hasattr(features, "blocks"):
        yield from features.blocks()
        return
    for start in range(0, features.shape[0], _ROWS_AT_ONCE):
        rows = slice(start, min(start + _ROWS_AT_ONCE, features.shape[0]))
        yield rows, features[rows]


def _logits(matrix: Any, point: Array) -> Array:
    logits: Array = np.asarray(matrix @ point[:-1])
    logits += point[-1]
    return logits


def add_product(found: Array, matrix: Any, residuals: Array) -> None:
    """Add to `found` (D + 1, C) what rows (n, D) and a column of ones give with residuals (n, C)."""
    found[:-1] += matrix.T @ residuals  # the transposed view of a CSR matrix, not a copy
    found[-1] += residuals.sum(axis=0)


def _squared(matrix: Any) -> Any:
    if isinstance(matrix, np.ndarray):
        return matrix * matrix
    from scipy.sparse import csr_matrix

    return csr_matrix((matrix.data * matrix.data, matrix.indices, matrix.indptr), shape=matrix.shape)
