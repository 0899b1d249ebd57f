"""Which rows are paired when an encoder is tuned by contrast, and which of a batch's texts belong together.

See `provetune.training.text_pairs` for what is made of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from provetune.core.little_data import PairSampling
from provetune.core.seeds import derive

if TYPE_CHECKING:
    from provetune.core.protocols import Array

UNCOUNTED = -1
"""Entry of a batch's labels for two texts whose cosine is no part of the loss."""


def pair_labels(labels: Array, sampling: PairSampling, seed: int) -> Array:
    """Which of U texts belong together: 1, or 0, above the diagonal, `UNCOUNTED` elsewhere; int8 (U, U).

    Args:
        labels: label numbers (U,), or indicators (U, C); two rows belong together that share a label, or have none.
        seed: of the negative pairs that are left out when undersampling.
    """
    if labels.ndim == 1:
        alike = labels[:, None] == labels[None, :]
    else:
        having = np.hstack([labels > 0, ~(labels > 0).any(axis=1, keepdims=True)]).astype(np.float32)
        alike = having @ having.T > 0
    found = np.where(np.triu(np.ones(alike.shape, dtype=bool), 1), alike, UNCOUNTED).astype(np.int8)
    if sampling == "undersampling":
        apart = np.flatnonzero(found.ravel() == 0)
        spare = len(apart) - max(1, int((found == 1).sum()))
        if spare > 0:
            out = np.random.default_rng(seed).choice(apart, size=spare, replace=False)
            found.ravel()[out] = UNCOUNTED
    return found


def draw_pairs(labels: Array, *, rounds: int, sampling: PairSampling, seed: int) -> Array:
    """Pairs of rows that share a label, int64 (P, 2): of each row with each of its labels one a round.

    The rows of a label stand in a circle, in an order that the seed decides; a round pairs everyone with the row so
    many places on. As long as there are new pairs none comes twice, and every row is in as many as any other of its
    label. Then the circle is drawn anew (``oversampling``) or the label is done. A row that is alone with its label is
    its own partner: it counts as what the others are held away from.

    Args:
        labels: label numbers (N,), or indicators (N, C).
    """
    draw = np.random.default_rng(derive(seed, "pairs"))
    found = [_pairs_of(rows, rounds, sampling == "oversampling", draw) for rows in _rows_by_label(np.asarray(labels))]
    pairs = np.concatenate(found) if found else np.zeros((0, 2), dtype=np.int64)
    if sampling != "oversampling":
        pairs = np.unique(np.sort(pairs, axis=1), axis=0)
    return pairs


def _rows_by_label(labels: Array) -> Iterator[Array]:
    if labels.ndim == 1:
        for label in np.unique(labels):
            yield np.flatnonzero(labels == label)
        return
    for column in (labels > 0).T:
        if column.any():
            yield np.flatnonzero(column)
    if len(none := np.flatnonzero(~(labels > 0).any(axis=1))):
        yield none


def _pairs_of(rows: Array, rounds: int, repeat: bool, draw: np.random.Generator) -> Array:
    shifts = len(rows) // 2
    if shifts == 0:
        return np.repeat(rows, rounds if repeat else 1)[:, None].repeat(2, axis=1)
    found = []
    for number in range(rounds if repeat else min(rounds, shifts)):
        if number % shifts == 0:
            circle, order = draw.permutation(rows), draw.permutation(shifts) + 1
        found.append(np.stack([circle, np.roll(circle, -int(order[number % shifts]))], axis=1))
    return np.concatenate(found)
