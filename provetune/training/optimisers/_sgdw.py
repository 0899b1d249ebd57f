"""PyTorch's gradient descent with momentum, its weight decay decoupled."""

from __future__ import annotations

from typing import Any

import torch

MOMENTUM = 0.9


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
