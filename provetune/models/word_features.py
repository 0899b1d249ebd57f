"""What can be said of a word from its letters and its neighbours: the features of a classical tagger.

Each is a short string such as ``w-1=mr.`` or ``suffix3=son``; a fitted list of them gives each a column.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.data.words import find_words

if TYPE_CHECKING:
    from provetune.core.protocols import Array

_EDGE = "\x02"
"""Stands for the words before a text's first and behind its last."""
_LONGEST_AFFIX = 4
_SHAPE_RUNS = 2


def word_features(text: str) -> Iterator[list[str]]:
    """The features of each of a text's words (`provetune.data.words.find_words`), in order."""
    places = find_words(text)
    words = [text[start:end] for start, end in places]
    lower = [_EDGE, _EDGE, *(word.lower() for word in words), _EDGE, _EDGE]
    shapes = [_EDGE, *map(word_shape, words), _EDGE]
    for k, word in enumerate(words):
        at = k + 2
        two_before, before, own, behind, two_behind = lower[at - 2 : at + 3]
        yield [
            f"w={own}",
            f"form={word}",
            f"w-1={before}",
            f"w+1={behind}",
            f"w-2={two_before}",
            f"w+2={two_behind}",
            f"w-1,0={before} {own}",
            f"w0,1={own} {behind}",
            f"w-2,-1={two_before} {before}",
            f"w1,2={behind} {two_behind}",
            f"w-1,0,1={before} {own} {behind}",
            f"shape={shapes[k + 1]}",
            f"shape-1,0={shapes[k]} {shapes[k + 1]}",
            f"shape0,1={shapes[k + 1]} {shapes[k + 2]}",
            f"glued={k > 0 and places[k - 1][1] == places[k][0]}",
            *_affixes(own),
        ]


@lru_cache(maxsize=1 << 16)
def word_shape(word: str) -> str:
    """The kinds of a word's letters, runs cut to two: ``McDonald`` → ``XxXxx``, ``2019`` → ``dd``."""
    kinds: list[str] = []
    for letter in word:
        kind = "X" if letter.isupper() else "d" if letter.isdigit() else "x" if letter.islower() else letter
        kind = "c" if len(kind) == 1 and kind.isalpha() and kind not in "Xxd" else kind
        if kinds[-_SHAPE_RUNS:] != [kind] * _SHAPE_RUNS:
            kinds.append(kind)
    return "".join(kinds)


def choose_terms(texts: Iterable[str], *, least: int, most: int) -> list[str]:
    """The features that at least `least` words have, the most frequent first, `most` of them at most."""
    counts: Counter[str] = Counter()
    for text in texts:
        for features in word_features(text):
            counts.update(features)
    kept = [(term, count) for term, count in counts.items() if count >= least]
    kept.sort(key=lambda entry: (-entry[1], entry[0]))
    return [term for term, _ in kept[:most]]


def feature_matrix(texts: Sequence[str], columns: dict[str, int]) -> tuple[Any, Array]:
    """A row of ones for each word of all texts.

    Args:
        columns: number of each feature's column, D of them.

    Returns:
        CSR matrix float32 (U, D), and where the words of each text begin and end: (N + 1,).
    """
    from scipy.sparse import csr_matrix

    indices: list[int] = []
    ends = [0]
    bounds = [0]
    for text in texts:
        for features in word_features(text):
            indices.extend(columns[one] for one in features if one in columns)
            ends.append(len(indices))
        bounds.append(len(ends) - 1)
    ones = np.ones(len(indices), dtype=np.float32)
    matrix = csr_matrix(
        (ones, np.array(indices, dtype=np.int32), np.array(ends, dtype=np.int32)), shape=(len(ends) - 1, len(columns))
    )
    return matrix, np.array(bounds, dtype=np.int64)


def _affixes(word: str) -> Iterator[str]:
    for size in range(1, min(_LONGEST_AFFIX, len(word) - 1) + 1):
        yield f"prefix{size}={word[:size]}"
        yield f"suffix{size}={word[-size:]}"
