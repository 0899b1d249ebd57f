"""The last encoder layer for the first token alone, where nothing else of it is read.

A classification head of the BERT family reads the final hidden state of the first token only. The last layer's
keys and values need every token; its queries, output projection and feed-forward block need just one. Leaving
the others out changes no number that is used and saves about a tenth to a fifth of a step, the more the fewer
layers there are. Dropout draws fewer random numbers, so single runs differ from the plain loop's, their
distribution does not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from provetune.models.virtual_tokens import has_virtual_tokens

_FIRST_TOKEN_HEADS = (
    "BertForSequenceClassification",
    "RobertaForSequenceClassification",
    "XLMRobertaForSequenceClassification",
    "CamembertForSequenceClassification",
    "ElectraForSequenceClassification",
)


class FirstTokenOnly:
    """Shortens the last layer of a model while it trains, if the model is one of those known to allow it.

    Attributes:
        applied: whether the model is such a one.
    """

    def __init__(self, model: nn.Module) -> None:
        layer = _last_layer(model)
        self.applied = layer is not None
        self._restore: Callable[[], None] | None = None
        if layer is None:
            return

        def forward(hidden_states: Tensor, attention_mask: Tensor | None = None, *_: Any, **__: Any) -> Tensor:
            return _first_token(layer, hidden_states, attention_mask)

        # Set on the instance: shadows the class's method, and deleting it brings that back.
        layer.forward = forward

        def restore() -> None:
            del layer.forward

        self._restore = restore

    def restore(self) -> None:
        if self._restore is not None:
            self._restore()
            self._restore = None


def _first_token(layer: Any, hidden: Tensor, mask: Tensor | None) -> Tensor:
    """Hidden states (B, T, D) and additive mask (B, 1, T or 1, T) → the first token's output (B, 1, D)."""
    attention, first = layer.attention.self, hidden[:, :1]
    heads = (attention.num_attention_heads, attention.attention_head_size)
    query = attention.query(first).unflatten(-1, heads).transpose(1, 2)
    key = attention.key(hidden).unflatten(-1, heads).transpose(1, 2)
    value = attention.value(hidden).unflatten(-1, heads).transpose(1, 2)
    scores = torch.matmul(query, key.transpose(2, 3)) * attention.scaling
    if mask is not None:
        scores = scores + mask[:, :, :1]
    weights = nn.functional.softmax(scores, dim=-1)
    weights = nn.functional.dropout(weights, p=attention.dropout.p, training=attention.training)
    context = torch.matmul(weights, value).transpose(1, 2).flatten(2)
    attended = layer.attention.output(context, first)
    return layer.feed_forward_chunk(attended)  # type: ignore[no-any-return]


def _last_layer(model: nn.Module) -> Any:
    """The last encoder layer of a known architecture with eager attention, else None."""
    wrapped: Any = model
    inner: Any = wrapped.get_base_model() if hasattr(model, "get_base_model") else model
    if type(inner).__name__ not in _FIRST_TOKEN_HEADS:
        return None
    if has_virtual_tokens(inner):
        return None  # the first token that the layer sees is not the text's
    if getattr(inner.config, "is_decoder", False) or inner.config._attn_implementation != "eager":
        return None
    return inner.base_model.encoder.layer[-1]
