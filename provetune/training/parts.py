"""The parts that a step's batches are learned in, one after the other, and what each counts.

What the layers of a decoder keep for the backward pass takes some 3 MB a token of a model of 135 million weights, so
that a batch of 4,000 tokens held 11 GB. Gradients of parts add up to those of the whole batch, since each part counts
as many times as its loss has terms (not rows: a part of long answers would count too little).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from provetune.core.protocols import LearnsInParts

if TYPE_CHECKING:
    import torch

    from provetune.core.protocols import Array, Task


def split_batches(batches: Sequence[Array], lengths: Array, most: int) -> list[Array]:
    """Batches as parts of at most so many tokens each, or of one feature, their order kept.

    Args:
        batches: numbers of features.
        lengths: tokens of each feature, (F,).
        most: tokens of a part; nothing is padded.
    """
    parts = []
    for batch in batches:
        start, held = 0, 0
        for place, tokens in enumerate(lengths[batch].tolist()):
            if place > start and held + tokens > most:
                parts.append(batch[start:place])
                start, held = place, 0
            held += tokens
        parts.append(batch[start:])
    return parts


def shares_of(task: Task, parts: Sequence[Array], batches: Sequence[Mapping[str, torch.Tensor]]) -> list[float]:
    """What each part's loss counts in the step's, 1 together: by terms where the task tells them, else by rows."""
    pairs = zip(parts, batches, strict=True)
    counts = [task.terms(batch) if isinstance(task, LearnsInParts) else len(part) for part, batch in pairs]
    total = sum(counts)
    return [count / total for count in counts] if total else [1 / len(parts)] * len(parts)
