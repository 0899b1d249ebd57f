"""Features to one rectangular batch: padded to the longest; what is padded is masked.

For torch the width is rounded up to a multiple of eight: matrix products are up to a seventh faster so on short texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

    from provetune.core.protocols import Array

MULTIPLE = 8


def pad_features(
    features: Sequence[Mapping[str, Any]], pad_id: int, multiple: int = MULTIPLE
) -> dict[str, torch.Tensor]:
    """`pad_arrays` as tensors.

    Args:
        multiple: T is a multiple of it.
    """
    import torch

    width = -(-max(len(feature["input_ids"]) for feature in features) // multiple) * multiple
    return {name: torch.from_numpy(values) for name, values in pad_arrays(features, pad_id, width).items()}


def pad_arrays(features: Sequence[Mapping[str, Any]], pad_id: int, width: int | None = None) -> dict[str, Array]:
    """``input_ids``, ``attention_mask`` and, where features have them, ``token_type_ids``; int64 (B, T) each.

    Args:
        features: B of them, each with ``input_ids`` (at least one token).
        width: T; the longest feature's tokens when left out.
    """
    lengths = [len(feature["input_ids"]) for feature in features]
    shape = (len(features), max(lengths) if width is None else width)
    ids, mask = np.full(shape, pad_id, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    types = np.zeros(shape, dtype=np.int64) if "token_type_ids" in features[0] else None
    for k, (feature, length) in enumerate(zip(features, lengths, strict=True)):
        ids[k, :length] = feature["input_ids"]
        mask[k, :length] = 1
        if types is not None:
            types[k, :length] = feature["token_type_ids"]
    batch = {"input_ids": ids, "attention_mask": mask}
    return batch if types is None else {**batch, "token_type_ids": types}
