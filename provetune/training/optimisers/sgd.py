"""Stochastic gradient descent with momentum (Sutskever et al. 2013), decay decoupled as in SGDW.

Weight decay shrinks the weights by ``rate * decay`` instead of going through the momentum (Loshchilov and Hutter 2019,
arXiv:1711.05101, algorithm 1), so that it means the same as with the other optimisers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from provetune.training.optimisers import Optimiser


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
    ) -> Optimiser:
        """See `OptimiserKind.make`; there is no fast way."""
        from provetune.training.optimisers._sgdw import Sgdw
        from provetune.training.optimisers._torch_based import TorchBased

        return TorchBased(model, Sgdw, weight_decay=weight_decay, factors=factors)


OPTIMISER = Sgd()
