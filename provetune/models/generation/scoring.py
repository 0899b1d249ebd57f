"""How sure an encoder–decoder is of a text: the mean log-probability of its tokens, in one pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from provetune.models.label_positions import logits_only_at

if TYPE_CHECKING:
    from provetune.core.protocols import Array

_LOGITS_AT_ONCE = 1 << 24


def mean_log_probabilities(model: Any, batch: dict[str, torch.Tensor], written: torch.Tensor, judged: Any) -> Array:
    """Mean log-probability of each row's judged tokens under the model itself, whatever way it decoded; float64 (B,).

    Args:
        batch: ``input_ids`` and ``attention_mask`` of the sources.
        written: what was decoded, the token that decoding starts with included, (B, T).
        judged: which of the tokens after the first count, bool (B, T − 1).
    """
    encoded = model.get_encoder()(**batch)
    with logits_only_at(model, judged):
        logits = model(
            attention_mask=batch["attention_mask"],
            encoder_outputs=encoded,
            decoder_input_ids=written[:, :-1],
            use_cache=False,
        ).logits
    tokens = written[:, 1:][judged]
    found = torch.zeros(judged.shape, dtype=torch.float64)
    found[judged.cpu()] = _token_log_probabilities(logits, tokens).double().cpu()
    counts = judged.sum(dim=1).clamp(min=1).cpu()
    return (found.sum(dim=1) / counts).numpy()  # type: ignore[no-any-return]


def _token_log_probabilities(logits: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """Log-probabilities (M,) of tokens (M,) under logits (M, V), a part of the rows at a time."""
    size = max(1, _LOGITS_AT_ONCE // logits.shape[1])
    parts = [
        torch.log_softmax(logits[start : start + size].float(), dim=1).gather(1, tokens[start : start + size, None])
        for start in range(0, len(tokens), size)
    ]
    return torch.cat(parts)[:, 0] if parts else logits.new_zeros(0)
