"""Truncated Newton (Nash 1985) in single precision: each step by preconditioned conjugate gradients on the curvature.

The steps far from the minimum are rough and those near it fine, since conjugate gradients end when another round adds
little to what the step promises (Nash & Sofer 1990). Departure: the line search halves until the loss has fallen
enough (Armijo), nothing more; a Newton step of a convex loss is nearly always right at full length.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from provetune.core.protocols import Array

_LITTLE, _MOST_ROUNDS = 0.8, 100
_SHRINK, _ENOUGH, _HALVINGS = 0.5, 1e-4, 20


@dataclass(frozen=True)
class Expansion:
    """A loss near a point.

    Attributes:
        value: the loss there.
        gradient: of the point's shape, float32.
        curve: the Hessian times a direction.
        precondition: an estimate of the inverse Hessian times a direction; symmetric and positive definite.
    """

    value: float
    gradient: Array
    curve: Callable[[Array], Array]
    precondition: Callable[[Array], Array]


class Loss(Protocol):
    """A convex function of an array."""

    def value(self, point: Array) -> float:
        """The loss at a point."""

    def expand(self, point: Array) -> Expansion:
        """The loss near a point."""


def minimise(loss: Loss, point: Array, tolerance: float, most_steps: int) -> Array:
    """The point where `loss` is least, near enough.

    Args:
        point: where to start; single precision, any shape.
        tolerance: the step that promises to lower the loss by no more than this is the last one.
        most_steps: stops after so many steps in any case.
    """
    here = loss.expand(point)
    for _ in range(most_steps):
        direction, promise = _step(here)
        if promise <= tolerance:
            moved = point + direction
            # Near the minimum of single precision, a step may promise and not deliver.
            return moved if promise > 0 and loss.value(moved) <= here.value else point
        # No loss is below nought: a step that promises more than all of it is too long.
        length = min(1.0, here.value / promise)
        for _ in range(_HALVINGS):
            moved = point + np.float32(length) * direction
            there = loss.expand(moved)
            if there.value <= here.value - _ENOUGH * length * promise:
                break
            length *= _SHRINK
        else:  # no descent is left in single precision
            return point
        point, here = moved, there
    return point


def _step(here: Expansion) -> tuple[Array, float]:
    """A direction, and by how much the quadratic expansion falls along it."""
    direction = np.zeros_like(here.gradient)
    residual = -here.gradient
    scaled = here.precondition(residual)
    conjugate = scaled.copy()
    norm, promise = float(np.vdot(residual, scaled)), 0.0
    for count in range(1, _MOST_ROUNDS + 1):
        curved = here.curve(conjugate)
        curvature = float(np.vdot(conjugate, curved))
        if not (norm > 0 and curvature > 0):  # what is left is rounding
            break
        length = norm / curvature
        curved *= np.float32(length)
        residual -= curved
        direction += np.multiply(conjugate, np.float32(length), out=curved)
        gained = 0.5 * length * norm
        promise += gained
        if gained * count <= _LITTLE * promise:
            break
        scaled = here.precondition(residual)
        norm, before = float(np.vdot(residual, scaled)), norm
        conjugate *= np.float32(norm / before)
        conjugate += scaled
    return direction, promise
