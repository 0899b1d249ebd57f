"""AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101): the textbook's, or its fast twin for CPUs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from provetune.training.optimisers import Optimiser


class AdamW:
    """`adamw`: momentum and a step size of each weight's own."""

    name = "adamw"
    summary = "Momentum, and for each weight a step of its own size; decoupled weight decay."
    rate = 1.0
    sources = "Betas 0.9 and 0.999 and epsilon 1e-8 are PyTorch's and the paper's (Loshchilov and Hutter 2019)."
    has_fast = True

    def make(
        self,
        model: torch.nn.Module,
        *,
        weight_decay: float,
        factors: Mapping[str, float] | None = None,
        fast: torch.dtype | None = None,
    ) -> Optimiser:
        """See `OptimiserKind.make`."""
        if fast is None:
            from provetune.training.optimisers.adamw.plain import PlainAdamW

            return PlainAdamW(model, weight_decay=weight_decay, factors=factors)
        from provetune.training.optimisers.adamw.fast import FastAdamW

        return FastAdamW(model, weight_decay=weight_decay, dtype=fast, factors=factors)


OPTIMISER = AdamW()
