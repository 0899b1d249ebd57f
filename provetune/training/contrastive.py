"""Losses that bring a query near its document and away from the other documents of the batch.

A batch of B rows has S texts a row: a query, its document, and hard negatives. Every different document of the batch
stands once among the K candidates of every query, so that one that many rows share is neither its own negative nor
counted often.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

NOTHING = -1
"""Number of a text that is not there: rows may have different numbers of hard negatives."""


@dataclass(frozen=True)
class Candidates:
    """The similarities of a batch.

    Attributes:
        cosines: of every query to every candidate, (B, K).
        own: the candidate that is each query's document, (B,).
        wrong: candidates that are wrong answers to a query, bool (B, K): neither one of its documents in this batch nor
            the very text of the query.
    """

    cosines: Tensor
    own: Tensor
    wrong: Tensor


def compare(embeddings: Tensor, numbers: Tensor) -> Candidates:
    """All queries of a batch to all its different documents.

    Args:
        embeddings: of length one, (B, S, D): query, document, hard negatives.
        numbers: which text each of them is of, int64 (B, S); equal texts have equal numbers, `NOTHING` is none.

    Raises:
        ValueError: the shapes do not fit.
    """
    if embeddings.dim() != 3 or numbers.shape != embeddings.shape[:2] or numbers.shape[1] < 2:
        raise ValueError(
            f"Embeddings must be (rows, texts, width) with a number each. "
            f"Got {tuple(embeddings.shape)} and {tuple(numbers.shape)} instead."
        )
    queries, documents = numbers[:, 0], numbers[:, 1]
    # The rows' own documents before the negatives: where a text is both, the document stands for it.
    flat = numbers[:, 1:].T.reshape(-1)
    vectors = embeddings[:, 1:].transpose(0, 1).reshape(-1, embeddings.shape[-1])
    first = _first_of_each(flat)
    names = flat[first]
    # Never in bf16: rounded to a hundredth and multiplied by the scale, near cosines could not be told apart.
    with torch.autocast(embeddings.device.type, enabled=False):
        cosines = embeddings[:, 0].float() @ vectors[first].float().T
    own = (documents[:, None] == names[None, :]).int().argmax(dim=1)
    asked = (queries[:, None] == queries[None, :]).float()
    answers = asked @ (documents[:, None] == names[None, :]).float() > 0
    return Candidates(cosines, own, ~answers & (queries[:, None] != names[None, :]))


def ranking_loss(candidates: Candidates, scale: float) -> Tensor:
    """Cross-entropy of each query's own document among the wrong ones: a scalar.

    Multiple negatives ranking (Henderson et al. 2017, arXiv:1705.00652), also InfoNCE (van den Oord et al. 2018,
    arXiv:1807.03748). Departing from both, what is right or the query itself is no negative.

    Args:
        scale: cosines are multiplied by it; 20 is a temperature of 0.05.
    """
    own = functional.one_hot(candidates.own, candidates.cosines.shape[1]).bool()
    scores = (candidates.cosines * scale).masked_fill(~(own | candidates.wrong), -torch.inf)
    return functional.cross_entropy(scores, candidates.own)


def margin_loss(candidates: Candidates, margin: float) -> Tensor:
    """How far wrong documents are from being `margin` less similar than the own one, over those that are: a scalar.

    Triplets of the whole batch, averaged over those with a loss (Hermans et al. 2017, arXiv:1703.07737), on cosines
    instead of distances.
    """
    own = candidates.cosines.gather(1, candidates.own[:, None])
    return _mean_of_positive((margin - own + candidates.cosines)[candidates.wrong])


def cosine_loss(candidates: Candidates, margin: float) -> Tensor:
    """One less the cosine of own documents, and what wrong ones' cosines exceed `margin` by: a scalar.

    The cosine embedding loss of torch, over all pairs of the batch; the wrong ones are averaged over those beyond the
    margin, since most of a batch soon are not.
    """
    own = candidates.cosines.gather(1, candidates.own[:, None])
    return (1 - own).mean() + _mean_of_positive((candidates.cosines - margin)[candidates.wrong])


def _mean_of_positive(values: Tensor) -> Tensor:
    beyond = functional.relu(values)
    # A batch of one row has no wrong document: its loss is 0, with a gradient of 0.
    return beyond.sum() / (beyond.detach() > 0).sum().clamp(min=1)


def _first_of_each(numbers: Tensor) -> Tensor:
    """Places of the first of each different number, ascending; `NOTHING` has none."""
    equal = numbers[:, None] == numbers[None, :]
    earlier = torch.tril(equal, diagonal=-1).any(dim=1)
    return torch.nonzero(~earlier & (numbers != NOTHING)).flatten()
