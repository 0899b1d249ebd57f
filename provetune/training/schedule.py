"""The learning rate as a function of the step: no state, so nothing to save or to get out of step.

A schedule gives the factor of the peak rate for step `step` of `steps` (from 0). All but one first rise linearly over
``warmup * steps`` steps, and the first of these already learns: its factor is ``1 / (warmup steps)``, not 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

Schedule: TypeAlias = Callable[[int, int, float], float]

POLYNOMIAL_POWER = 2
CYCLE_LOW, CYCLE_END = 0.1, 0.001
CYCLE_TAIL = 0.1
RANGE_DECADES = 7
"""Powers of ten that a learning-rate range test passes through."""


def linear_with_warmup(step: int, steps: int, warmup: float) -> float:
    """Rises, then falls linearly to reach 0 after the last step (Devlin et al. 2019, arXiv:1810.04805)."""
    rising, left = _places(step, steps, warmup)
    return rising if left is None else left


def cosine(step: int, steps: int, warmup: float) -> float:
    """Rises, then falls along half a cosine to 0 (Loshchilov and Hutter 2017, arXiv:1608.03983, without restarts)."""
    rising, left = _places(step, steps, warmup)
    return rising if left is None else 0.5 * (1.0 - math.cos(math.pi * left))


def constant(step: int, steps: int, warmup: float) -> float:
    """Rises and stays."""
    rising, left = _places(step, steps, warmup)
    return rising if left is None else 1.0


def polynomial(step: int, steps: int, warmup: float) -> float:
    """Rises, then falls as a square to 0: fast at first, slowly in the end."""
    rising, left = _places(step, steps, warmup)
    return rising if left is None else float(left**POLYNOMIAL_POWER)


def one_cycle(step: int, steps: int, warmup: float) -> float:
    """One cycle (Smith 2018, arXiv:1803.09820): from a tenth of the peak up to it, back, and far below in the end.

    The last tenth of the steps is that tail; `warmup` is the share of the rise, and the paper's even cycle has 0.45.
    Departure from the paper: the momentum stays as it is.
    """
    tail = min(CYCLE_TAIL, (1.0 - warmup) / 2) * steps
    top, foot = warmup * steps, steps - tail
    if step < top:
        return _between(step / top, CYCLE_LOW, 1.0)
    if step < foot:
        return _between((step - top) / (foot - top), 1.0, CYCLE_LOW)
    return _between((step - foot) / max(1.0, tail), CYCLE_LOW, CYCLE_END)


def rising_exponentially(step: int, steps: int, warmup: float) -> float:
    """From ``10 ** -RANGE_DECADES`` to 1 in equal ratios: the rates of a range test, never a candidate's schedule."""
    return float(10.0 ** (-RANGE_DECADES * (1.0 - (step + 1) / steps)))


RANGE_TEST = "range_test"
USUAL_WARMUP: Mapping[str, float] = MappingProxyType({"one_cycle": 0.45})
"""Share of the rise where a schedule has one of its own; elsewhere the method says it."""
SCHEDULES: Mapping[str, Schedule] = MappingProxyType(
    {
        "linear": linear_with_warmup,
        "cosine": cosine,
        "constant": constant,
        "polynomial": polynomial,
        "one_cycle": one_cycle,
        RANGE_TEST: rising_exponentially,
    }
)


def _places(step: int, steps: int, warmup: float) -> tuple[float, float | None]:
    """Factor within the rise, and the share of the fall that is left: None while it rises."""
    rising = round(warmup * steps)
    if step < rising:
        return (step + 1) / rising, None
    return 1.0, max(0.0, (steps - step) / max(1, steps - rising))


def _between(share: float, start: float, end: float) -> float:
    return start + (end - start) * share
