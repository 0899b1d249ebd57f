"""Documents found by the words they share with a query: BM25 (Robertson and Zaragoza 2009, doi:10.1561/1500000019).

The weights are bm25s' (Lù 2024, arXiv:2407.03618). Words are runs of letters and digits, folded in case; scripts
written without spaces (Han, kana, Thai, …) are cut into characters and pairs of neighbours, which needs no dictionary
and finds words of two characters, as most Chinese ones are.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from provetune.core.protocols import Array

# Thai, Lao, Khmer and Myanmar; kana; Han: as in `provetune.models.methods.tfidf`.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\U00020000-\U000323af"
_PIECES = re.compile(rf"([{_UNSPACED}]+)|([^\W_{_UNSPACED}]+)")
K1, B = 1.2, 0.75


def split_words(text: str, stem: Callable[[str], str] | None = None) -> list[str]:
    """The words of a text in their order, with repeats.

    Args:
        stem: applied to words between spaces, e.g. to bring plural and singular together.
    """
    found: list[str] = []
    for unspaced, word in _PIECES.findall(unicodedata.normalize("NFKC", text).casefold()):
        if unspaced:
            found += unspaced
            found += [unspaced[at : at + 2] for at in range(len(unspaced) - 1)]
        else:
            found.append(word if stem is None else stem(word))
    return found


def make_stemmer(language: str | None) -> Callable[[str], str] | None:
    """A function that cuts words down to their stem by Snowball's rules of a language; None for None."""
    if language is None:
        return None
    import snowballstemmer

    cut: Callable[[str], str] = snowballstemmer.stemmer(language).stemWord
    return lru_cache(maxsize=200_000)(cut)


class LexicalIndex:
    """M documents by their words.

    Args:
        documents: the words of each, as `split_words` gives them; more words that it asks for are not scored.
        k1: how soon a word's repetitions stop to count.
        b: how much longer documents are held back, from 0 (not) to 1.

    Raises:
        ValueError: there are no documents.
    """

    def __init__(self, documents: Sequence[Sequence[str]], *, k1: float = K1, b: float = B) -> None:
        if not documents:
            raise ValueError("There must be a document to index. Got none.")
        import bm25s
        from scipy.sparse import csc_matrix

        self.columns = {
            word: number for number, word in enumerate(dict.fromkeys(w for each in documents for w in each))
        }
        self.count = len(documents)
        shape = (self.count, max(1, len(self.columns)))
        if not self.columns:
            self._weights = csc_matrix(shape, dtype=np.float32)
            return
        index = bm25s.BM25(k1=k1, b=b, method="lucene")
        numbers = [[self.columns[word] for word in words] for words in documents]
        found = index.build_index_from_ids(list(range(len(self.columns))), numbers, show_progress=False)
        self._weights = csc_matrix((found["data"], found["indices"], found["indptr"]), shape=shape)

    def scores(self, queries: Sequence[Sequence[str]]) -> Array:
        """Scores of the documents for each query's words, float32 (n, M); 0 where they share none."""
        from scipy.sparse import csr_matrix

        known = [[self.columns[word] for word in words if word in self.columns] for words in queries]
        bounds = np.cumsum([0, *map(len, known)])
        columns = np.array([column for each in known for column in each], dtype=np.int64)
        # A word that the query has twice counts twice: its entries are summed.
        shape = (len(known), self._weights.shape[1])
        asked = csr_matrix((np.ones(len(columns), np.float32), columns, bounds), shape=shape)
        found: Any = asked @ self._weights.T
        return np.asarray(found.toarray(), dtype=np.float32)


def stemmer_languages() -> tuple[str, ...]:
    """Languages that Snowball has rules for."""
    import snowballstemmer

    return tuple(sorted(snowballstemmer.algorithms()))
