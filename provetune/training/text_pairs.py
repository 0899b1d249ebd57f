"""Tuning an encoder on few rows by contrast: pairs of texts that share a label brought together, others apart.

The recipe of SetFit (Tunstall et al. 2022, arXiv:2209.11055): the loss of a pair is the squared difference between the
cosine of its two mean-pooled embeddings and 1, where they share a label, or 0. Departing from it, a batch is made of
pairs that share a label, each of its texts is encoded once however many pairs it is in, and the loss is over all pairs
of texts in the batch: b positive pairs cost 2 b encodings at most, as they do there, and give b (2 b − 1) terms instead
of b. How positive and negative ones are weighed is a matter of sampling there and of the mean here:

* ``oversampling``: positive pairs repeat until they are as many as the negative ones: half the loss is theirs;
* ``undersampling``: no positive pair repeats, and of a batch's negative pairs as many are drawn as it has positive;
* ``unique``: no positive pair repeats, and every pair of a batch counts once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.little_data import PairSampling
from provetune.core.protocols import FeatureColumns, Metric, Targets
from provetune.core.seeds import derive
from provetune.models.pair_drawing import pair_labels

if TYPE_CHECKING:
    import torch

    from provetune.core.protocols import Array, Task


class PairFeatures:
    """Pairs of rows as the loop takes features: long as both texts together, numbered by their first row.

    Args:
        texts: F features of the rows; of a row cut into windows the first is taken.
        kept: which rows the numbers in `pairs` mean, (N,): their number in `texts`.
        pairs: numbers of rows, (P, 2).
    """

    def __init__(self, texts: FeatureColumns, kept: Array, pairs: Array) -> None:
        rows = np.asarray(texts.rows)
        self.texts, self.pairs = texts, np.asarray(pairs, dtype=np.int64)
        self._feature = np.searchsorted(rows, np.asarray(kept))
        sizes = np.asarray(texts.lengths)[self._feature]
        same = self.pairs[:, 0] == self.pairs[:, 1]
        self._lengths: Array = sizes[self.pairs[:, 0]] + np.where(same, 0, sizes[self.pairs[:, 1]])

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def lengths(self) -> Array:
        return self._lengths

    @property
    def rows(self) -> Array:
        numbers: Array = self.pairs[:, 0]
        return numbers

    def take(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        """One mapping a pair: its ``number`` and its ``pair``; the texts are taken once a batch, by `features_of`."""
        return [{"number": index, "pair": tuple(self.pairs[index].tolist())} for index in indices]

    def features_of(self, rows: Sequence[int]) -> list[dict[str, Any]]:
        """Features of these rows, without labels."""
        found = self.texts.take(self._feature[np.asarray(rows)].tolist())
        return [{name: value for name, value in each.items() if name != "labels"} for each in found]


class PairTask:
    """What the loop asks of a task, for pairs of texts and an encoder without a head.

    Args:
        task: collates the texts.
        pairs: what batches are made of.
        labels: label numbers (N,) or indicators (N, C) of the rows.
        metric: what checkpoints are chosen by.
        seed: of the negative pairs that are drawn.
    """

    def __init__(
        self, task: Task, pairs: PairFeatures, labels: Array, sampling: PairSampling, metric: Metric, seed: int
    ) -> None:
        self.task, self.pairs, self.labels = task, pairs, np.asarray(labels)
        self.sampling, self.metrics, self.seed = sampling, (metric,), seed
        self.name = task.name

    def collate(self, features: Sequence[Mapping[str, Any]], pad_id: int) -> dict[str, torch.Tensor]:
        """The different texts of these pairs, U of them, and ``labels`` (U, U) int8: see `pair_labels`."""
        import torch

        rows = list(dict.fromkeys(row for each in features for row in each["pair"]))
        batch = self.task.collate(self.pairs.features_of(rows), pad_id)
        draw = derive(self.seed, "negatives", *(str(each["number"]) for each in features))
        batch["labels"] = torch.from_numpy(pair_labels(self.labels[rows], self.sampling, draw))
        return batch

    def forward(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Mean-pooled embeddings of length one, (U, D)."""
        from provetune.models.features import mean_pooled

        output = model(**{name: value for name, value in batch.items() if name != "labels"})
        return mean_pooled(output.last_hidden_state, batch["attention_mask"])

    def loss(
        self, logits: torch.Tensor, labels: torch.Tensor, targets: Targets, weights: torch.Tensor | None
    ) -> torch.Tensor:
        """`cosine_similarity_loss` of the embeddings; labels are not weighed against each other."""
        return cosine_similarity_loss(logits, labels, balanced=self.sampling != "unique")


def cosine_similarity_loss(embeddings: torch.Tensor, labels: torch.Tensor, *, balanced: bool) -> torch.Tensor:
    """Mean squared difference between cosines and what they should be: a scalar.

    Args:
        embeddings: of length one, (U, D).
        labels: 1 for pairs that belong together, 0 for others, `UNCOUNTED` for neither, (U, U).
        balanced: half the loss for either kind, where a batch has both; else every pair counts once.
    """
    import torch

    # Never in bf16: cosines near one could not be told apart.
    with torch.autocast(embeddings.device.type, enabled=False):
        cosines = embeddings.float() @ embeddings.float().T
    together, apart = labels == 1, labels == 0
    errors = (cosines - together.float()) ** 2
    if not balanced:
        return errors[together | apart].sum() / (together | apart).sum().clamp(min=1)
    parts = [errors[mask].mean() for mask in (together, apart) if bool(mask.any())]
    # A text alone makes no pair: a loss of 0, with a gradient of 0.
    return torch.stack(parts).mean() if parts else errors.sum() * 0.0
