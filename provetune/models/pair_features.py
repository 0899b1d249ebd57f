"""Two texts as numbers that tell how far they say the same with the same words: shares of words and letters in common,
weighted by how rare they are, differences in length, in numbers and in negation.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.models.lexical import split_words

if TYPE_CHECKING:
    from provetune.core.protocols import Array

NAMES = (
    *("words_in_common", "weight_of_first_in_second", "weight_of_second_in_first"),
    *("share_of_first_in_second", "share_of_second_in_first", "cosine", "letter_pairs", "letter_triples"),
    *("word_pairs", "longer", "length_difference", "negated_first_only", "negated_second_only", "both_negated"),
    *("numbers_differ", "equal", "rarest_of_first_only", "rarest_of_second_only"),
    *("words_of_first_only", "words_of_second_only"),
)
"""What the columns are."""

# Parts of "isn't" and its like are words of their own here: isn, t.
_NEGATIONS = frozenset(
    [
        *("no", "not", "nobody", "never", "none", "nothing", "neither", "nor", "without", "cannot"),
        *("t", "isn", "aren", "doesn", "don", "didn", "wasn", "weren", "won"),
        *("没", "不", "无", "非", "未", "别", "勿", "莫"),
    ]
)
_EMPTY = 1e-9


@dataclass(frozen=True)
class PairFeatures:
    """Turns pairs into rows of numbers.

    Attributes:
        weights: how rare each word of the training texts is: log((1 + N) / (1 + n)) + 1 for a word in n of N texts.
        rarest: the weight of a word that none of them has.
    """

    weights: Mapping[str, float]
    rarest: float

    @classmethod
    def of_texts(cls, texts: Iterable[str]) -> PairFeatures:
        """With the words of these texts."""
        words = [set(split_words(text)) for text in texts]
        held = Counter(word for each in words for word in each)
        weights = {word: math.log((1 + len(words)) / (1 + count)) + 1 for word, count in held.items()}
        return cls(weights, math.log(1 + len(words)) + 1)

    def transform(self, firsts: Sequence[str], seconds: Sequence[str]) -> Array:
        """Pairs → float64 (N, 20), in the order of `NAMES`."""
        rows = [self._row(first, second) for first, second in zip(firsts, seconds, strict=True)]
        return np.asarray(rows, dtype=np.float64).reshape(len(rows), len(NAMES))

    def _row(self, first: str, second: str) -> list[float]:
        words = split_words(first), split_words(second)
        left, right = set(words[0]), set(words[1])
        both = left & right
        shared = self._weigh(both)
        negated = bool(left & _NEGATIONS), bool(right & _NEGATIONS)
        lengths = math.log((1 + len(words[0])) / (1 + len(words[1])))
        return [
            len(both) / max(1, len(left | right)),
            shared / max(_EMPTY, self._weigh(left)),
            shared / max(_EMPTY, self._weigh(right)),
            len(both) / max(1, len(left)),
            len(both) / max(1, len(right)),
            self._cosine(*words),
            _dice(_letters(first, 2), _letters(second, 2)),
            _dice(_letters(first, 3), _letters(second, 3)),
            _dice(set(pairwise(words[0])), set(pairwise(words[1]))),
            lengths,
            abs(lengths),
            float(negated[0] and not negated[1]),
            float(negated[1] and not negated[0]),
            float(all(negated)),
            float({word for word in left if word.isdigit()} != {word for word in right if word.isdigit()}),
            float(first == second),
            self._rarest_of(left - right),
            self._rarest_of(right - left),
            math.log(1 + len(left - right)),
            math.log(1 + len(right - left)),
        ]

    def _weight(self, word: str) -> float:
        return self.weights.get(word, self.rarest)

    def _weigh(self, words: Iterable[str]) -> float:
        # Summed in one order, whatever order a set has them in.
        return math.fsum(map(self._weight, words))

    def _rarest_of(self, words: Iterable[str]) -> float:
        return max(map(self._weight, words), default=0.0) / self.rarest

    def _cosine(self, first: Sequence[str], second: Sequence[str]) -> float:
        """Of the words' weights times one plus the logarithm of their counts."""
        left, right = (
            {word: (1 + math.log(count)) * self._weight(word) for word, count in Counter(words).items()}
            for words in (first, second)
        )
        squares = math.fsum(value * value for value in left.values()) * math.fsum(v * v for v in right.values())
        return math.fsum(left[word] * right[word] for word in left.keys() & right.keys()) / max(
            _EMPTY, math.sqrt(squares)
        )


def with_products(features: Array) -> Array:
    """Features (N, D) and every product of two of them, a feature with itself among them: (N, D + D (D + 1) / 2)."""
    first, second = np.triu_indices(features.shape[1])
    return np.hstack([features, features[:, first] * features[:, second]])


def _letters(text: str, size: int) -> set[str]:
    plain = " ".join(text.casefold().split())
    return {plain[at : at + size] for at in range(len(plain) - size + 1)}


def _dice(first: Set[Any], second: Set[Any]) -> float:
    """Twice what is in both over what each has; 0 of nothing."""
    return 2 * len(first & second) / max(1, len(first) + len(second))
