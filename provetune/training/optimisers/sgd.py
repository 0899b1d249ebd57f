"""Stochastic gradient descent with momentum (Sutskever et al. 2013), decay decoupled as in SGDW.

Weight decay shrinks the weights by ``rate * decay`` instead of going through the momentum (Loshchilov and Hutter 2019,
arXiv:1711.05101, algorithm 1), so that it means the same as with the other optimisers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from provetune.training.optimisers._torch_based import TorchBased

MOMENTUM = 0.9


class Sgd:
    """`sgd`: one step size for all weights, and momentum."""

    name = "sgd"
    summary = "One step size for all weights, and momentum: half of AdamW's memory, and a rate that must fit."
    rate = 100.0
    sources = (
        "Momentum 0.9 is usual (Sutskever et al. 2013). Range tests of `full` on the shipped support intents suggest "
        "0.038 for it and 2.7e-4 for AdamW, 140 times less: rounded down. Run `provetune lr` before you rely on it."
    )
    has_fast = False

    def make(
        self,
        model: torch.nn.Module,
        *,
        weight_decay: float,
        factors: Mapping[str, float] | None = None,
        fast: torch.dtype | None = None,
    ) -> TorchBased:
        """See `OptimiserKind.make`; there is no fast way."""
        return TorchBased(model, Sgdw, weight_decay=weight_decay, factors=factors)


class Sgdw(torch.optim.SGD):
    """PyTorch's SGD, with the decay taken out of the gradient.

    Args:
        groups: parameter groups; their ``weight_decay`` is decoupled.
    """

    def __init__(self, groups: list[dict[str, Any]]) -> None:
        plain = [{**group, "weight_decay": 0.0, "decoupled": group["weight_decay"]} for group in groups]
        super().__init__(plain, lr=0.0, momentum=MOMENTUM)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Shrink what has a gradient, then step."""
        for group in self.param_groups:
            shrink = 1.0 - group["lr"] * group["decoupled"]
            for parameter in group["params"]:
                if parameter.grad is not None and shrink != 1.0:
                    parameter.mul_(shrink)
        return super().step(closure)


OPTIMISER = Sgd()
