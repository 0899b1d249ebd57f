"""Gradient checkpointing (Chen et al. 2016, arXiv:1604.06174): a layer's insides are computed again going backwards.

Between the passes only what goes from layer to layer is kept. Random numbers are drawn again as they were, so that the
gradients are the same up to rounding; a step takes about a third longer.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint
from transformers.modeling_layers import GradientCheckpointingLayer

from provetune.core.errors import UsageError


class RecomputedLayers:
    """Makes every layer of a model recompute, until `restore`.

    Raises:
        UsageError: the model has no layer that can.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        self.layers: list[Any] = [layer for layer in model.modules() if isinstance(layer, GradientCheckpointingLayer)]
        if not self.layers:
            raise UsageError(
                f"{type(model).__name__} has no layers that can be computed again.",
                hint="Leave gradient_checkpointing out, or take another backbone.",
            )
        for layer in self.layers:
            layer.gradient_checkpointing = True
            layer._gradient_checkpointing_func = partial(checkpoint, use_reentrant=False)

    def restore(self) -> None:
        """Compute layers once again."""
        for layer in self.layers:
            layer.gradient_checkpointing = False
            del layer._gradient_checkpointing_func
