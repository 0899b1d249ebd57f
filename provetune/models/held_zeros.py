"""Weights that are exactly zero and stay so while a model learns: fine-tuning after pruning (Han et al. 2015,
arXiv:1506.02626, the retraining step)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def hold_zeros(model: torch.nn.Module) -> int:
    """Keep the zeros of every linear layer's weights; returns how many weights are held.

    The gradient of a held weight is zero. So are its moments then, and decay shrinks zero to zero: no optimiser here
    moves it.
    """
    import torch

    held = 0
    seen: set[int] = set()
    for module in model.modules():
        if not isinstance(module, torch.nn.Linear) or id(module.weight) in seen or not module.weight.requires_grad:
            continue
        seen.add(id(module.weight))
        kept = module.weight.detach() != 0
        count = int((~kept).sum())
        if count:
            held += count
            weight: Any = module.weight
            weight.register_hook(_masked_by(kept))
    return held


def _masked_by(kept: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
    def mask(gradient: torch.Tensor) -> torch.Tensor:
        # Where a gradient is infinite, nothing times it would be no number.
        return gradient.masked_fill(~kept.to(gradient.device), 0.0)

    return mask
