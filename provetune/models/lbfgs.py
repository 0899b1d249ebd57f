"""L-BFGS (Liu & Nocedal 1989) with a preconditioner, in single precision.

Departures: the first guess of the inverse Hessian is the caller's, scaled as usual by the last step; the line search
halves until the loss has fallen enough (Armijo), and a step that shows no positive curvature is not remembered.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from provetune.core.protocols import Array

_MEMORY = 10
_SHRINK, _ENOUGH, _HALVINGS = 0.5, 1e-4, 30


def minimise(
    loss: Callable[[Array], tuple[float, Array]],
    point: Array,
    precondition: Callable[[Array], Array],
    tolerance: float,
    most_steps: int,
) -> Array:
    """The point where `loss` is least, near enough.

    Args:
        loss: a point to the loss there and its gradient, of the point's shape.
        point: where to start; single precision, any shape.
        precondition: a first guess of the inverse Hessian, applied to a gradient.
        tolerance: stops when a step promises to lower the loss by less than this share of it.
        most_steps: stops after so many steps in any case.
    """
    pairs: deque[tuple[Array, Array, float]] = deque(maxlen=_MEMORY)
    value, gradient = loss(point)
    for _ in range(most_steps):
        direction = -_curved(gradient, pairs, precondition)
        slope = float(np.vdot(direction, gradient))
        if slope >= 0:  # rounding spoilt the memory: begin it anew
            pairs.clear()
            direction = -precondition(gradient)
            slope = float(np.vdot(direction, gradient))
        if -slope <= tolerance * value:
            break
        length = 1.0
        for _ in range(_HALVINGS):
            moved = point + np.float32(length) * direction
            new_value, new_gradient = loss(moved)
            if new_value <= value + _ENOUGH * length * slope:
                break
            length *= _SHRINK
        else:  # no descent is left in single precision
            break
        step, change = moved - point, new_gradient - gradient
        curvature = float(np.vdot(step, change))
        if curvature > 1e-12 * float(np.vdot(change, change)):
            pairs.append((step, change, 1.0 / curvature))
        point, value, gradient = moved, new_value, new_gradient
    return point


def _curved(gradient: Array, pairs: deque[tuple[Array, Array, float]], precondition: Callable[[Array], Array]) -> Array:
    """The two-loop recursion: an estimate of the inverse Hessian times the gradient."""
    found = gradient.copy()
    parts = []
    for step, change, inverse in reversed(pairs):
        part = inverse * float(np.vdot(step, found))
        found -= np.float32(part) * change
        parts.append(part)
    found = precondition(found)
    if pairs:
        step, change, inverse = pairs[-1]
        found *= np.float32(1.0 / (inverse * float(np.vdot(change, precondition(change)))))
    for (step, change, inverse), part in zip(pairs, reversed(parts), strict=True):
        found += np.float32(part - inverse * float(np.vdot(change, found))) * step
    return found
