"""Which n-grams a model knows: counted text by text, in memory that does not grow with the rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from provetune.models.ngrams import Block, Vectoriser, growing

if TYPE_CHECKING:
    from provetune.core.protocols import Array

TEXTS_AT_ONCE = 4096
_MOST_REMEMBERED = 1 << 19


def fit_vectoriser(
    texts: Iterable[str],
    block: Block,
    *,
    least_rows: int = 1,
    most_terms: int | None = None,
    most_remembered: int = _MOST_REMEMBERED,
) -> tuple[Vectoriser, int]:
    """Learn a block's terms and their weights; returns the fitted block and how many entries the texts have in it.

    With `most_terms`, counts are exact as long as the texts hold at most `most_remembered` different n-grams (or four
    times `most_terms`, where that is more). Beyond that the rarer half is forgotten each time that the memory is full,
    much as in lossy counting (Manku & Motwani 2002): the most frequent terms, which alone are kept, stay, and the
    count of one that was rare at first may be a little low.

    Args:
        least_rows: rows that a term must occur in to be kept.
        most_terms: keep so many of the most frequent terms; ties go to the earlier in the alphabet.
        most_remembered: n-grams whose counts are held at a time.
    """
    limit = None if most_terms is None else max(most_remembered, 4 * most_terms)
    tally = _Tally(limit)
    rows = 0
    for some in in_chunks(texts, TEXTS_AT_ONCE):
        rows += len(some)
        tally.add(some, block)
    terms, with_term, occurrences = tally.in_order()
    kept = np.flatnonzero(with_term >= least_rows)
    if most_terms is not None and len(kept) > most_terms:
        kept = np.sort(kept[np.argsort(-occurrences[kept], kind="stable")[:most_terms]])
    # One more row than there are, which holds every term: no division by zero (scikit-learn's smooth_idf).
    idf = (np.log((1 + rows) / (1 + with_term[kept])) + 1).astype(np.float32)
    return Vectoriser(block, tuple(terms[number] for number in kept), idf), int(with_term[kept].sum())


def in_chunks(texts: Iterable[str], size: int) -> Iterator[list[str]]:
    """The texts, so many at a time."""
    left = iter(texts)
    while some := list(islice(left, size)):
        yield some


class _Tally:
    """Rows and occurrences of each n-gram so far."""

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self.numbers = growing()
        self.rows = np.zeros(0, dtype=np.int64)
        self.occurrences = np.zeros(0, dtype=np.int64)

    def add(self, texts: list[str], block: Block) -> None:
        local = growing()
        counts = block.count(texts, local.__getitem__, local)
        where = np.fromiter((self.numbers[term] for term in local), dtype=np.int64, count=len(local))
        self.rows = _grown(self.rows, len(self.numbers))
        self.occurrences = _grown(self.occurrences, len(self.numbers))
        self.rows[where] += np.bincount(counts.indices, minlength=len(local))
        # A sum of whole numbers below 2**53 is exact in float64.
        self.occurrences[where] += np.bincount(
            counts.indices, weights=counts.data.astype(np.float64), minlength=len(local)
        ).astype(np.int64)
        if self.limit is not None and len(self.numbers) > self.limit:
            self._forget(self.limit // 2)

    def _forget(self, most: int) -> None:
        """Keep at most so many, the most frequent; of those as frequent as the first that has to go, none."""
        occurrences = self.occurrences[: len(self.numbers)]
        floor = -np.partition(-occurrences, most)[most]
        kept = np.flatnonzero(occurrences > floor)
        self.rows, self.occurrences = self.rows[kept], occurrences[kept]
        chosen = np.zeros(len(self.numbers), dtype=bool)
        chosen[kept] = True
        stay = [term for term, keep in zip(self.numbers, chosen.tolist(), strict=True) if keep]
        self.numbers = growing()
        for term in stay:
            self.numbers[term]

    def in_order(self) -> tuple[list[str], Array, Array]:
        """Terms in the order of the alphabet, their rows and their occurrences."""
        terms = sorted(self.numbers)
        where = np.fromiter((self.numbers[term] for term in terms), dtype=np.int64, count=len(terms))
        return terms, self.rows[where], self.occurrences[where]


def _grown(counts: Array, length: int) -> Array:
    """The array with room for `length`, and for as many again where it has to grow."""
    if length <= len(counts):
        return counts
    found = np.zeros(2 * length, dtype=counts.dtype)
    found[: len(counts)] = counts
    return found
