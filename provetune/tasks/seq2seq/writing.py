"""What a model wrote for a source: the text, how sure the model was of it, and whether it had to stop."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.models.generation.records import record_of

__all__ = ["Written", "read_record", "record_of", "write_batch"]

if TYPE_CHECKING:
    import torch

    from provetune.core.protocols import Array
    from provetune.models.generation.options import DecodingOptions


@dataclass(frozen=True)
class Written:
    """A generated text.

    Attributes:
        text: without special tokens.
        score: geometric mean of its tokens' probabilities under the model, 0 to 1; None for a text that no model wrote.
        stopped: it reached the most tokens a target may have.
        source_cut: tokens of the source that the model did not see.
    """

    text: str
    score: float | None
    stopped: bool = False
    source_cut: int = 0


def write_batch(
    model: torch.nn.Module,
    batch: Mapping[str, torch.Tensor],
    options: DecodingOptions,
    tokenizer: Any,
    *,
    scored: bool = True,
) -> list[Array]:
    """The model's text for every source of a batch, each as one record (`read_record` reads it).

    Args:
        scored: whether to tell how sure the model is, which takes another pass over what it wrote.
    """
    from provetune.models.generation.decoding import decode_batch
    from provetune.models.generation.scoring import mean_log_probabilities

    plain: Any = model.get_base_model() if hasattr(model, "get_base_model") else model  # type: ignore[operator]
    sources = {name: batch[name] for name in ("input_ids", "attention_mask")}
    written = decode_batch(plain, options, sources)
    judged = _judged(written[:, 1:], plain.generation_config)
    scores = np.full(len(written), math.nan)
    if scored:
        scores = np.exp(mean_log_probabilities(plain, sources, written, judged))
    texts = tokenizer.batch_decode(written, skip_special_tokens=True)
    lengths = judged.sum(dim=1).tolist()
    stopped = [length >= options.max_target_length for length in lengths]
    return [record_of(text.strip(), score, full) for text, score, full in zip(texts, scores, stopped, strict=True)]


def read_record(record: Array, source_cut: int = 0) -> Written:
    """What `write_batch` put down."""
    score = float(record["score"])
    return Written(str(record["text"]), None if math.isnan(score) else score, bool(record["stopped"]), source_cut)


def _judged(tokens: torch.Tensor, config: Any) -> torch.Tensor:
    """Which tokens (B, T) belong to the text: up to its end token, that one included."""
    import torch

    ends = config.eos_token_id
    ends = torch.tensor(ends if isinstance(ends, list) else [ends], device=tokens.device)
    ended = torch.isin(tokens, ends).int().cumsum(dim=1)
    ended_before = torch.nn.functional.pad(ended, (1, 0))[:, :-1]
    return ended_before == 0
