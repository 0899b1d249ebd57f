"""An exponential moving average of the weights (Polyak and Juditsky 1992), scored and kept in their place.

After step t (from 0) every average moves towards its weight by ``1 - d``, with ``d = min(decay, (1 + t) / (10 + t))``:
the first steps, whose weights are far from the last ones, are forgotten sooner (as in TensorFlow's
``ExponentialMovingAverage``). Averages are fp32 and need the memory of the weights once more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch

from provetune.training.optimisers import Optimiser


class Average:
    """The running average of some weights.

    Args:
        weights: fp32, by name; a copy is where it starts from.
        decay: share that the average keeps in a step, above 0 and under 1.
    """

    def __init__(self, weights: Mapping[str, torch.Tensor], decay: float) -> None:
        self.decay = decay
        self.values = {name: value.detach().float().clone() for name, value in weights.items()}

    @torch.no_grad()
    def update(self, weights: Mapping[str, torch.Tensor], step: int) -> None:
        """Take up the weights as step number `step` (from 0) left them."""
        share = 1.0 - min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.values.values()), [weights[name] for name in self.values], share)

    def load(self, values: Mapping[str, torch.Tensor]) -> None:
        """Go on from `values`, as a checkpoint had them."""
        for name, value in self.values.items():
            value.copy_(values[name])


@contextmanager
def standing_in(average: Average | None, optimiser: Optimiser) -> Iterator[None]:
    """Within the block the weights are their averages, where there are any."""
    if average is None:
        yield
        return
    there = optimiser.weights()
    optimiser.load_weights(average.values)
    try:
        yield
    finally:
        optimiser.load_weights(there)
