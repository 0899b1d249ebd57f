"""Learning which of two answers is the better one: direct preference optimisation.

Rafailov et al. 2023, arXiv:2305.18290: the chosen answer's likelihood is to grow more, against what it was before
training, than the rejected one's. The model before training is the reference; its log-probabilities are computed once,
with the very weights that training starts from, and kept. (With an adapter those weights are the model with the
adapter off.)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from provetune.core.lazy import import_later
from provetune.training.packing import IGNORED, text_numbers, under_prefix

if TYPE_CHECKING:
    import torch
    from torch.nn import functional

    from provetune.core.protocols import Array, FeatureColumns, Task
else:
    torch = import_later("torch")
    functional = import_later("torch.nn.functional")

CHOSEN, REJECTED = "reference_chosen", "reference_rejected"
PREFIX = "rejected_"
_Forward: TypeAlias = "Callable[[Mapping[str, torch.Tensor]], torch.Tensor]"


def dpo_loss(
    chosen: torch.Tensor,
    rejected: torch.Tensor,
    reference_chosen: torch.Tensor,
    reference_rejected: torch.Tensor,
    *,
    beta: float,
    doubt: float = 0.0,
) -> torch.Tensor:
    """Mean loss of B pairs, equation 7 of the paper.

    Args:
        chosen, rejected: summed log-probabilities of the answers under the model, (B,).
        reference_chosen, reference_rejected: the same under the reference, (B,).
        beta: how much a departure from the reference counts.
        doubt: share of the pairs that may be the wrong way round (Mitchell 2023, "conservative DPO").
    """
    margin = beta * ((chosen - reference_chosen) - (rejected - reference_rejected))
    losses = -(1 - doubt) * functional.logsigmoid(margin) - doubt * functional.logsigmoid(-margin)
    return losses.mean()


def summed_log_probabilities(logits: torch.Tensor, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Log-probability of each text's learned tokens, (B,), float32.

    Args:
        logits: at the batch's learned places, (M, V).
        batch: ``labels`` (1, T) and ``lengths`` (B), as `provetune.training.packing.pack_texts` makes them.
    """
    labels = batch["labels"][0]
    wanted = labels != IGNORED
    each = -functional.cross_entropy(logits.float(), labels[wanted], reduction="none")
    sums = each.new_zeros(len(batch["lengths"]))
    return sums.index_add(0, text_numbers(batch["lengths"], wanted), each)


def both_log_probabilities(
    forward: _Forward, batch: Mapping[str, torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Of each pair the chosen answer's and the rejected one's summed log-probability, and the chosen ones' logits."""
    rejected = under_prefix(batch, PREFIX)
    logits = forward(batch)
    return (
        summed_log_probabilities(logits, batch),
        summed_log_probabilities(forward(rejected), rejected),
        logits,
    )


def reference_columns(
    forward: _Forward,
    task: Task,
    features: FeatureColumns,
    pad_id: int,
    *,
    device: str,
    batch_tokens: int,
    cache: Path,
    weights: str,
) -> dict[str, Array]:
    """Columns ``reference_chosen`` and ``reference_rejected`` of F pairs, float32 (F,), from the cache where they are.

    Args:
        forward: asks the model as it is before it learns.
        weights: what tells these weights and their arithmetic from others, e.g. the backbone's content hash.
    """
    from provetune.core.files import atomic_path

    path = cache / f"reference-{_key(features, weights)}.npz"
    if not path.exists():
        values = _ask_reference(forward, task, features, pad_id, device, batch_tokens)
        with atomic_path(path) as temporary, temporary.open("wb") as stream:
            np.savez(stream, allow_pickle=False, values=values)
    with np.load(path, allow_pickle=False) as kept:
        values = kept["values"]
    return {CHOSEN: values[:, 0], REJECTED: values[:, 1]}


def _ask_reference(
    forward: _Forward, task: Task, features: FeatureColumns, pad_id: int, device: str, batch_tokens: int
) -> Array:
    from provetune.models.forward import batches_by_length

    found = np.empty((len(features), 2), dtype=np.float32)
    with torch.no_grad():
        for indices in batches_by_length(features.lengths, batch_tokens):
            batch = task.collate(features.take(indices.tolist()), pad_id)
            batch = {name: value.to(device) for name, value in batch.items()}
            chosen, rejected, _ = both_log_probabilities(forward, batch)
            found[indices, 0], found[indices, 1] = chosen.cpu().numpy(), rejected.cpu().numpy()
    return found


def _key(features: FeatureColumns, weights: str) -> str:
    digest = hashlib.sha256(weights.encode())
    for start in range(0, len(features), 1024):
        for feature in features.take(range(start, min(start + 1024, len(features)))):
            for name in ("input_ids", "whose", f"{PREFIX}input_ids", f"{PREFIX}whose"):
                digest.update(np.asarray(feature[name], dtype=np.int64).tobytes())
    return digest.hexdigest()[:32]
