"""Adafactor (Shazeer and Stern 2018, arXiv:1804.04235), by transformers: AdamW's second moments as rows and columns.

Of a matrix it keeps the mean of its squared gradients a row and a column, and no momentum: next to no memory beside the
weights. Departure from the paper: the rate is the candidate's own, times its schedule, and neither relative to the
size of a weight nor falling by itself. Updates are clipped to a root mean square of 1, so that rates mean about what
they mean for AdamW, and an adapter's matrix that starts at nought can learn.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from provetune.training.optimisers import Optimiser


class Adafactor:
    """`adafactor`: AdamW's steps with hardly any state."""

    name = "adafactor"
    summary = "Steps of AdamW's kind from row and column means alone: next to no memory beside the weights."
    rate = 1.0
    sources = (
        "Clipping at 1, decay exponent 0.8 and epsilon 1e-30 are the paper's (Shazeer and Stern 2018). Updates have "
        "about the size of AdamW's: range tests of `full` on the shipped support intents suggest 1.9e-4 and 2.7e-4."
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
        from provetune.training.optimisers._torch_based import TorchBased

        return TorchBased(model, _adafactor, weight_decay=weight_decay, factors=factors)


def _adafactor(groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    from transformers.optimization import Adafactor as Transformers

    made: torch.optim.Optimizer = Transformers(
        groups, lr=0.0, clip_threshold=1.0, scale_parameter=False, relative_step=False, warmup_init=False
    )
    return made


OPTIMISER = Adafactor()
