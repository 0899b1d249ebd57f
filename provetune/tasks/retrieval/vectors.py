"""A text's vector: its tokens' last hidden states brought to one, scaled to length one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

POOLING = "sentence_pooling"
"""Field of a model's configuration that says how; it is kept with the model."""


def embed(model: Any, ids: torch.Tensor, mask: torch.Tensor, pooling: str) -> torch.Tensor:
    """Vectors of texts, float32 (B, D).

    Args:
        model: an encoder without head.
        ids, mask: token numbers (B, T), and 1 where there is one.
        pooling: ``"mean"`` over the tokens, or the ``"first"`` one.
    """
    from torch.nn import functional

    from provetune.models.features import mean_pooled

    hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state
    if pooling == "mean":
        return mean_pooled(hidden, mask)
    return functional.normalize(hidden[:, 0].float(), dim=-1)


def pooling_of(model: Any) -> str:
    """How a model's texts become vectors, as `set_pooling` noted it."""
    return str(getattr(model.config, POOLING, "mean"))


def set_pooling(model: Any, pooling: str) -> None:
    """Note in the model's configuration how its texts become vectors."""
    setattr(model.config, POOLING, pooling)
