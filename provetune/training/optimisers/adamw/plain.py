"""The textbook: PyTorch's AdamW, fused where it exists."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch

from provetune.training.optimisers._torch_based import TorchBased

BETAS = (0.9, 0.999)
EPSILON = 1e-8


class PlainAdamW(TorchBased):
    """AdamW on the model's own parameters."""

    def __init__(
        self, model: torch.nn.Module, *, weight_decay: float, factors: Mapping[str, float] | None = None
    ) -> None:
        make = partial(torch.optim.AdamW, lr=0.0, betas=BETAS, eps=EPSILON, fused=True)
        super().__init__(model, make, weight_decay=weight_decay, factors=factors)
