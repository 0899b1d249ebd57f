"""Logits only where they are needed: projecting onto the vocabulary is the dearest layer of a small language model.

A padded batch of B × T positions has M that are judged. Leaving the others out changes no number that is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def logits_only_at(model: Any, positions: torch.Tensor) -> Iterator[None]:
    """Within the block the model's logits are (M, V) instead of (B, T, V): those of the positions, row by row.

    It works for every model with one output layer on hidden states, whatever else it does to them.

    Args:
        model: a transformers model, wrapped by peft or not.
        positions: which logits are wanted, bool (B, T), M of them true.
    """
    layer = model.get_output_embeddings()

    def keep(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        return (inputs[0][positions], *inputs[1:])

    hook = layer.register_forward_pre_hook(keep)
    try:
        yield
    finally:
        hook.remove()
