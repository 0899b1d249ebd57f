"""Sampling that depends on the row and the seed alone: not on the other rows of a batch, nor on their order.

Drawing from softmax(s) is the same as taking the largest of s + g, with g independent Gumbel noise (Gumbel 1954;
Maddison et al. 2014, arXiv:1411.0030). So a row is decoded greedily on scores with noise, and the noise of row and step
comes from a generator of their own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from provetune.models.generation.options import DecodingOptions


class RowNoise:
    """Adds Gumbel noise to the scores of the next token; a transformers ``LogitsProcessor`` in all but name.

    Args:
        keys: of each row of the batch (B); equal keys draw equally.
    """

    def __init__(self, keys: Sequence[int]) -> None:
        self.keys = list(keys)
        self.start: int | None = None

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores (B, V) of the tokens that may follow `input_ids` (B, T)."""
        self.start = input_ids.shape[1] if self.start is None else self.start
        step = input_ids.shape[1] - self.start
        noise = np.empty(tuple(scores.shape), dtype=np.float32)
        for row, key in enumerate(self.keys):
            draw = np.random.Generator(np.random.Philox(key=key, counter=[0, 0, 0, step]))
            noise[row] = draw.gumbel(size=scores.shape[1])
        return scores + torch.from_numpy(noise).to(scores.device, scores.dtype)


def row_keys(input_ids: torch.Tensor, attention_mask: torch.Tensor, seed: int) -> list[int]:
    """A key of 128 bits for each row, made of its own tokens and the seed."""
    found = []
    for ids, mask in zip(input_ids.cpu().numpy(), attention_mask.cpu().numpy(), strict=True):
        text = f"{seed}:{','.join(map(str, ids[mask.astype(bool)].tolist()))}"
        found.append(int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big"))
    return found


def sampling_processors(options: DecodingOptions, keys: Sequence[int]) -> list[Any]:
    """What happens to scores before the largest is taken: temperature, top-k, top-p, noise."""
    from transformers.generation.logits_process import (
        TemperatureLogitsWarper,
        TopKLogitsWarper,
        TopPLogitsWarper,
    )

    found: list[Any] = []
    if options.temperature != 1.0:
        found.append(TemperatureLogitsWarper(options.temperature))
    if options.top_k:
        found.append(TopKLogitsWarper(options.top_k))
    if options.top_p < 1.0:
        found.append(TopPLogitsWarper(options.top_p))
    return [*found, RowNoise(keys)]
