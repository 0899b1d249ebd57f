"""Where the right documents stand when all documents are ordered by a query's scores.

Ties count against: a right document that shares its score with wrong ones stands behind all of them, so that a model
which gives every document the same score is the worst there is, whatever order the documents come in. A score that
is not a number counts as the lowest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from provetune.core.protocols import Array

Scores: TypeAlias = "Callable[[int, int], Array]"
"""Scores of the queries from one number up to another, (n, M), the higher the better."""

_CELLS = 1 << 24


@dataclass(frozen=True, eq=False)
class Rankings:
    """M documents ordered for each of N queries.

    Attributes:
        ranks: places of each query's right documents, ascending, from 1; N arrays.
        first: numbers of the documents in front, (N, K), best first; of equal scores the lower number.
        scores: their scores, (N, K).
        documents: M.
    """

    ranks: tuple[Array, ...]
    first: Array
    scores: Array
    documents: int

    def __len__(self) -> int:
        return len(self.first)


def rank_documents(scores: Scores, documents: int, relevant: Sequence[Array], *, keep: int = 10) -> Rankings:
    """Order all documents for every query, a few queries at a time: memory does not grow with N · M.

    Args:
        scores: gives the scores of some queries.
        documents: M.
        relevant: numbers of the right documents of each query, N arrays, none twice in one; may be empty.
        keep: how many of the documents in front are kept.

    Raises:
        ValueError: there are no documents, or a number is not one of theirs.
    """
    if documents < 1:
        raise ValueError("There must be a document to rank. Got none.")
    if any(np.min(own, initial=0) < 0 or np.max(own, initial=-1) >= documents for own in relevant):
        raise ValueError(f"Right documents must be numbered 0 to {documents - 1}.")
    count, kept = len(relevant), min(keep, documents)
    ranks: list[Array] = []
    first, values = np.empty((count, kept), dtype=np.int64), np.empty((count, kept), dtype=np.float32)
    step = max(1, _CELLS // documents)
    for start in range(0, count, step):
        stop = min(count, start + step)
        some = np.nan_to_num(np.asarray(scores(start, stop)), nan=-np.inf, posinf=np.inf, neginf=-np.inf)
        first[start:stop], values[start:stop] = _front(some, kept)
        ranks += _places(some, relevant[start:stop])
    return Rankings(tuple(ranks), first, values, documents)


def recall_at(ranks: Sequence[Array], k: int) -> Array:
    """Share of each query's right documents among the first k, float64 (N,); NaN where it has none."""
    return np.array([float(np.mean(own <= k)) if len(own) else np.nan for own in ranks])


def reciprocal_ranks(ranks: Sequence[Array], k: int | None = None) -> Array:
    """One over the place of each query's first right document, 0 beyond the first k, float64 (N,); NaN for none."""
    limit = np.inf if k is None else k
    return np.array([(1.0 / own[0] if own[0] <= limit else 0.0) if len(own) else np.nan for own in ranks])


def ndcg_at(ranks: Sequence[Array], k: int) -> Array:
    """Normalised discounted cumulative gain of each query, every right document a gain of one; float64 (N,).

    The discount of place r is 1 / log2(r + 1), the ideal has all right documents in front (Järvelin and Kekäläinen
    2002, doi:10.1145/582415.582418). NaN where a query has no right document.
    """
    gains = 1.0 / np.log2(np.arange(2, k + 2))
    ideal = np.cumsum(gains)
    return np.array(
        [gains[own[own <= k] - 1].sum() / ideal[min(k, len(own)) - 1] if len(own) else np.nan for own in ranks]
    )


def _front(scores: Array, kept: int) -> tuple[Array, Array]:
    """The best documents of each query, in order, and their scores; of equal ones the lower number first."""
    if kept < scores.shape[1]:
        # The last place's score decides who can be among them; more may share it, and the lower numbers win.
        least = np.partition(scores, -kept, axis=1)[:, -kept][:, None]
        chosen = np.stack([_lowest(row, bound, kept) for row, bound in zip(scores, least[:, 0], strict=True)])
    else:
        chosen = np.broadcast_to(np.arange(scores.shape[1]), scores.shape)
    order = np.argsort(-np.take_along_axis(scores, chosen, axis=1), axis=1, kind="stable")
    chosen = np.take_along_axis(chosen, order, axis=1)
    return chosen, np.take_along_axis(scores, chosen, axis=1)


def _lowest(row: Array, bound: float, kept: int) -> Array:
    """Numbers, ascending, of the documents above a bound, and of as many at it as there is room for."""
    above = np.flatnonzero(row > bound)
    return np.sort(np.concatenate([above, np.flatnonzero(row == bound)[: kept - len(above)]]))


def _places(scores: Array, relevant: Sequence[Array]) -> list[Array]:
    """Places of the right documents of each query, ascending."""
    found = []
    for row, own in zip(scores, relevant, strict=True):
        numbers = np.asarray(own, dtype=np.int64)
        right = -np.sort(-row[numbers])
        at_least = (row >= right[:, None]).sum(axis=1)
        # Right documents of a score that several right ones share are counted in it, too; they stand behind the wrong.
        among = (right >= right[:, None]).sum(axis=1)
        found.append(at_least - among + np.arange(1, len(right) + 1))
    return found
