"""Texts as weighted counts of words and character n-grams, equal to scikit-learn's `TfidfVectorizer`.

Written here because a bundle must answer within a moment of being opened, and save without pickle: counting, saving
and loading need numpy and scipy only.
"""

from __future__ import annotations

import re
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from provetune.core.protocols import Array

Analyser: TypeAlias = Literal["word", "char", "char_wb"]
Find: TypeAlias = Callable[[str], int | None]
"""An n-gram to its column, or None where it has none."""

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

    def count(self, texts: Iterable[str], find: Find, columns: Mapping[str, int]) -> Any:
        """How often each n-gram occurs in each text: CSR (N, columns), int32, columns of a row in ascending order.

        Args:
            find: may add to `columns`, whose length is taken at the end.
        """
        if self.analyser == "char_wb":
            return _count_in_words(texts, self, find, columns)
        split = _words if self.analyser == "word" else _characters
        return _count((split(text.lower(), self.shortest, self.longest) for text in texts), find, columns)


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

    def count(self, texts: Iterable[str]) -> Any:
        """How often each term occurs in each text: CSR (N, D), int32."""
        return self.block.count(texts, self.columns.get, self.columns)

    def transform(self, texts: Iterable[str]) -> Any:
        """Texts → CSR matrix (N, D), float32: (1 + log count) · idf; rows have length one, or are empty."""
        counts = self.count(texts)
        data = (np.log(counts.data) + 1) * self.idf[counts.indices].astype(np.float64)
        rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
        lengths = np.sqrt(np.bincount(rows, weights=data * data, minlength=counts.shape[0]))
        counts.data = (data / lengths[rows]).astype(np.float32)
        return counts


def stack(vectorisers: Iterable[Vectoriser], texts: Sequence[str]) -> Any:
    """The blocks beside one another: CSR matrix (N, sum of D), float32."""
    from scipy.sparse import hstack

    return hstack([vectoriser.transform(texts) for vectoriser in vectorisers], format="csr", dtype=np.float32)


def growing() -> defaultdict[str, int]:
    """A mapping that gives each new term the next number."""
    found: defaultdict[str, int] = defaultdict()
    found.default_factory = found.__len__
    return found


def _count(rows: Iterable[Iterable[str]], find: Find, columns: Mapping[str, int]) -> Any:
    from scipy.sparse import csr_matrix

    indices, counts, bounds = array("i"), array("i"), array("q", [0])
    for terms in rows:
        found = Counter(map(find, terms))
        found.pop(None, None)
        indices.extend(found.keys())  # type: ignore[arg-type]
        counts.extend(found.values())
        bounds.append(len(indices))
    where, values = (np.array(each, dtype=np.int32) for each in (indices, counts))
    # The columns are counted now, after `find` has added its own.
    matrix = csr_matrix((values, where, np.array(bounds, dtype=np.int64)), shape=(len(bounds) - 1, len(columns)))
    matrix.sort_indices()
    return matrix


def _count_in_words(texts: Iterable[str], block: Block, find: Find, columns: Mapping[str, int]) -> Any:
    """Texts to words, words to n-grams: a product of two counts, so that a word is taken apart only once."""
    words = growing()
    in_texts = _count((text.lower().split() for text in texts), words.__getitem__, words)
    in_words = _count((_inside(word, block.shortest, block.longest) for word in words), find, columns)
    matrix = in_texts @ in_words
    matrix.sort_indices()
    return matrix


def _words(text: str, shortest: int, longest: int) -> list[str]:
    words = _WORD.findall(text)
    found = list(words) if shortest == 1 else []
    for size in range(max(2, shortest), min(longest, len(words)) + 1):
        found += [" ".join(words[start : start + size]) for start in range(len(words) - size + 1)]
    return found


def _characters(text: str, shortest: int, longest: int) -> list[str]:
    return _spans(_SPACES.sub(" ", text), shortest, longest)


def _inside(word: str, shortest: int, longest: int) -> list[str]:
    padded = f" {word} "
    # A word shorter than the shortest n-gram counts once, whole.
    return _spans(padded, min(shortest, len(padded)), longest)


def _spans(text: str, shortest: int, longest: int) -> list[str]:
    sizes = range(shortest, min(longest, len(text)) + 1)
    return list(chain.from_iterable([text[at : at + size] for at in range(len(text) - size + 1)] for size in sizes))
