"""Texts as weighted counts of words and character n-grams, equal to scikit-learn's `TfidfVectorizer`.

Written here because a bundle must answer within a moment of being opened, and save without pickle: fitting, saving
and loading need numpy and scipy only.
"""

from __future__ import annotations

import re
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from provetune.core.protocols import Array

Analyser: TypeAlias = Literal["word", "char", "char_wb"]

_WORD = re.compile(r"(?u)\b\w+\b")
_SPACES = re.compile(r"\s\s+")


@dataclass(frozen=True)
class Block:
    """One kind of n-gram.

    Attributes:
        analyser: ``word`` (runs of word characters), ``char`` (characters, across words) or ``char_wb``
            (characters inside words, which are padded with a space on both sides).
        shortest: fewest words or characters of an n-gram.
        longest: most words or characters of an n-gram.
    """

    analyser: Analyser
    shortest: int
    longest: int

    def split(self, text: str) -> list[str]:
        """The n-grams of a text, in lower case, with repetitions."""
        return _SPLITTERS[self.analyser](text.lower(), self.shortest, self.longest)


@dataclass(frozen=True)
class Vectoriser:
    """A fitted block: its terms in column order, and the inverse document frequency of each (D,), float32."""

    block: Block
    terms: tuple[str, ...]
    idf: Array

    @cached_property
    def columns(self) -> dict[str, int]:
        """The column of each term."""
        return {term: number for number, term in enumerate(self.terms)}

    def transform(self, texts: Iterable[str]) -> Any:
        """Texts → CSR matrix (N, D), float32; rows have length one, or are empty."""
        counted = _count(texts, self.block, self.columns, self.columns.get)
        return _weigh(counted, self.idf)


def fit_vectoriser(
    texts: Iterable[str], block: Block, *, least_rows: int = 1, most_terms: int | None = None
) -> tuple[Vectoriser, Any]:
    """Learn a block's terms and their weights; returns the fitted block and the texts in it, CSR (N, D).

    Args:
        least_rows: rows that a term must occur in to be kept.
        most_terms: keep so many of the most frequent terms; ties go to the earlier in the alphabet.
    """
    seen: defaultdict[str, int] = defaultdict()
    seen.default_factory = seen.__len__
    counts = _count(texts, block, seen, seen.__getitem__)
    in_order = sorted(seen)
    numbers = np.fromiter((seen[term] for term in in_order), dtype=np.int64, count=len(in_order))
    rows_with = np.bincount(counts.indices, minlength=len(seen))[numbers]
    kept = np.flatnonzero(rows_with >= least_rows)
    if most_terms is not None and len(kept) > most_terms:
        occurrences = np.bincount(counts.indices, weights=counts.data, minlength=len(seen))[numbers]
        kept = np.sort(kept[np.argsort(-occurrences[kept], kind="stable")[:most_terms]])
    # One more row than there are, which holds every term: no division by zero (scikit-learn's smooth_idf).
    idf = (np.log((1 + counts.shape[0]) / (1 + rows_with[kept])) + 1).astype(np.float32)
    vectoriser = Vectoriser(block, tuple(in_order[number] for number in kept), idf)
    return vectoriser, _weigh(counts[:, numbers[kept]], idf)


def stack(vectorisers: Iterable[Vectoriser], texts: Sequence[str]) -> Any:
    """The blocks beside one another: CSR matrix (N, sum of D), float32."""
    from scipy.sparse import hstack

    return hstack([vectoriser.transform(texts) for vectoriser in vectorisers], format="csr", dtype=np.float32)


def _count(texts: Iterable[str], block: Block, columns: Mapping[str, int], find: Callable[[str], int | None]) -> Any:
    """How often each n-gram occurs in each text: CSR matrix (N, columns), float64. `find` may add columns."""
    from scipy.sparse import csr_matrix

    indices, counts, bounds = array("q"), array("q"), array("q", [0])
    for text in texts:
        found = Counter(map(find, block.split(text)))
        found.pop(None, None)
        indices.extend(found.keys())  # type: ignore[arg-type]
        counts.extend(found.values())
        bounds.append(len(indices))
    where = np.frombuffer(indices, dtype=np.int64) if indices else np.empty(0, dtype=np.int64)
    values = np.array(counts, dtype=np.float64)
    return csr_matrix((values, where, np.array(bounds, dtype=np.int64)), shape=(len(bounds) - 1, len(columns)))


def _weigh(counts: Any, idf: Array) -> Any:
    """Counts → (1 + log count) · idf, rows scaled to length one; float32."""
    counts.sort_indices()
    counts.data = (np.log(counts.data) + 1) * idf[counts.indices].astype(np.float64)
    lengths = np.sqrt(np.asarray(counts.multiply(counts).sum(axis=1)).ravel())
    lengths[lengths == 0] = 1
    counts.data /= np.repeat(lengths, np.diff(counts.indptr))
    return counts.astype(np.float32)


def _words(text: str, shortest: int, longest: int) -> list[str]:
    words = _WORD.findall(text)
    found = list(words) if shortest == 1 else []
    for size in range(max(2, shortest), min(longest, len(words)) + 1):
        found += [" ".join(words[start : start + size]) for start in range(len(words) - size + 1)]
    return found


def _characters(text: str, shortest: int, longest: int) -> list[str]:
    text = _SPACES.sub(" ", text)
    sizes = range(shortest, min(longest, len(text)) + 1)
    return [text[start : start + size] for size in sizes for start in range(len(text) - size + 1)]


def _characters_in_words(text: str, shortest: int, longest: int) -> list[str]:
    found: list[str] = []
    for word in text.split():
        padded = f" {word} "
        for size in range(shortest, longest + 1):
            if size >= len(padded):  # a short word counts once, whole
                found.append(padded)
                break
            found += [padded[start : start + size] for start in range(len(padded) - size + 1)]
    return found


_SPLITTERS: dict[str, Callable[[str, int, int], list[str]]] = {
    "word": _words,
    "char": _characters,
    "char_wb": _characters_in_words,
}
