"""The learning rate as a function of the step: no state, so nothing to save or to get out of step."""

from __future__ import annotations


def linear_with_warmup(step: int, steps: int, warmup: float) -> float:
    """Factor of the peak learning rate for step `step` of `steps` (from 0).

    Rises linearly over ``warmup * steps`` steps, then falls linearly to reach 0 after the last step. The first
    step already learns: its factor is ``1 / (warmup steps)``, not 0.
    """
    rising = round(warmup * steps)
    if step < rising:
        return (step + 1) / rising
    return max(0.0, (steps - step) / max(1, steps - rising))
