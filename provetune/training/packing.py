"""Conversations laid end to end in one row of tokens: a batch without padding.

What each token's place has to say next is its label; places that nothing is learned at have -100. A text's last token
has no label, so nothing is learned across the seam; that attention stays inside a text is
`provetune.models.packed_attention`'s part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

    from provetune.core.protocols import Array

IGNORED = -100


def pack_texts(ids: Sequence[Array], whose: Sequence[Array], prefix: str = "") -> dict[str, torch.Tensor]:
    """One row of B texts.

    Args:
        ids: tokens of each text.
        whose: for each of them 0, or a number over 0 where the token is learned.
        prefix: put before the names of what is returned.

    Returns:
        ``input_ids`` (1, T), ``lengths`` (B), ``labels`` (1, T): the next token or -100, and ``whose`` (1, T): the
        number of the token that is to be said next, 0 where none is. All int64.
    """
    import torch

    tokens = np.concatenate([np.asarray(each, dtype=np.int64) for each in ids])
    codes = np.concatenate([np.asarray(each, dtype=np.int64) for each in whose])
    lengths = np.asarray([len(each) for each in ids], dtype=np.int64)
    # The place before a token is where it is said; the first token of a text is said by nobody.
    codes[np.concatenate([[0], np.cumsum(lengths)[:-1]])] = 0
    said, following = np.append(codes[1:], 0), np.append(tokens[1:], IGNORED)
    labels = np.where(said > 0, following, IGNORED)
    rows = {"input_ids": tokens[None], "labels": labels[None], "whose": said[None], "lengths": lengths}
    return {f"{prefix}{name}": torch.from_numpy(np.ascontiguousarray(value)) for name, value in rows.items()}


def text_numbers(lengths: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """The number of the text that each wanted place stands in, (M,).

    Args:
        lengths: tokens of each text, (B).
        wanted: M places of the row, bool (T,).
    """
    import torch

    numbers = torch.repeat_interleave(torch.arange(len(lengths), device=lengths.device), lengths)
    return numbers[wanted[: len(numbers)]]


def under_prefix(batch: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """The part of a batch whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): value for name, value in batch.items() if name.startswith(prefix)}
