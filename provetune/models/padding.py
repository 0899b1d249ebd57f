"""Features to one rectangular batch: padded to the longest, rounded up to a multiple of eight.

Multiples of eight make matrix products up to a seventh faster on short texts; what is padded is masked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

MULTIPLE = 8


def pad_features(
    features: Sequence[Mapping[str, Any]], pad_id: int, multiple: int = MULTIPLE
) -> dict[str, torch.Tensor]:
    """``input_ids``, ``attention_mask`` and, where features have them, ``token_type_ids``; int64 (B, T) each.

    Args:
        features: B of them, each with ``input_ids`` (at least one token).
        multiple: T is a multiple of it.
    """
    import torch

    lengths = [len(feature["input_ids"]) for feature in features]
    width = -(-max(lengths) // multiple) * multiple
    shape = (len(features), width)
    ids, mask = np.full(shape, pad_id, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    types = np.zeros(shape, dtype=np.int64) if "token_type_ids" in features[0] else None
    for k, (feature, length) in enumerate(zip(features, lengths, strict=True)):
        ids[k, :length] = feature["input_ids"]
        mask[k, :length] = 1
        if types is not None:
            types[k, :length] = feature["token_type_ids"]
    batch = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
    if types is not None:
        batch["token_type_ids"] = torch.from_numpy(types)
    return batch
