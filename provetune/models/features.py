"""Features of a frozen backbone: the mean of the last hidden states over a text's tokens, of length one.

Mean pooling, not the first token: on clinc150 a linear head on it reaches .954 where the first token gives .905.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from provetune.models.forward import predict_logits
from provetune.models.loading import load_model
from provetune.models.window_means import LEAST_NORM, average_windows

if TYPE_CHECKING:
    from provetune.core.protocols import Array, FeatureColumns, Task

__all__ = ["average_windows", "frozen_features", "load_encoder", "mean_pooled", "read_mean"]


def load_encoder(path: Path | str, *, device: str = "cpu") -> Any:
    """A backbone without any head, in evaluation mode, with no weight to be trained."""
    model = load_model(path, "AutoModel", {}, seed=0, device=device)
    return model.requires_grad_(False)


def mean_pooled(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean of the tokens that count, scaled to length one.

    Args:
        hidden: last hidden states (B, T, D).
        mask: 1 for tokens, 0 for padding (B, T).

    Returns:
        float32 tensor (B, D); zeros for a row without tokens.
    """
    counts = mask.unsqueeze(-1).to(torch.float32)
    total = (hidden.to(torch.float32) * counts).sum(dim=1)
    return torch.nn.functional.normalize(total, dim=-1, eps=LEAST_NORM)


def read_mean(output: Any, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Mean-pooled features (B, D) of an encoder's output; the `read` that `predict_logits` takes."""
    return mean_pooled(output.last_hidden_state, batch["attention_mask"])


def frozen_features(
    encoder: torch.nn.Module,
    task: Task,
    store: FeatureColumns,
    pad_id: int,
    *,
    batch_tokens: int = 4096,
    device: str = "cpu",
    precision: str = "fp32",
    progress: Callable[[int], None] | None = None,
) -> Array:
    """Features of every example of a split, windows of one text averaged: float32 (N, D), rows of length one.

    Args:
        encoder: what `load_encoder` returns.
        store: F features of N examples, in the examples' order.
    """
    pooled = predict_logits(
        encoder,
        task,
        store,
        pad_id,
        batch_tokens=batch_tokens,
        device=device,
        precision=precision,
        progress=progress,
        read=read_mean,
    )
    return average_windows(pooled, store.rows)
