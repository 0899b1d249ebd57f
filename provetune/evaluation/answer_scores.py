"""Answers scored as SQuAD's scripts do: exact match and the F1 of words, after articles and punctuation are gone.

Version 1.1 (Rajpurkar et al. 2016, arXiv:1606.05250) knows answered questions only. Version 2.0 (Rajpurkar et al. 2018,
arXiv:1806.03822) takes gold answers of which nothing is left after normalising for no answer, and gives two empty
answers an F1 of 1 where 1.1 gives 0. Of several gold answers the best counts.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, TypeAlias

Version: TypeAlias = Literal["1.1", "2.0"]

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


@lru_cache(maxsize=4096)
def normalised(text: str) -> str:
    """Lower case, without ASCII punctuation, without English articles, single spaces."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(answer: str, golds: Sequence[str], version: Version = "2.0") -> float:
    """1 where the answer equals a gold answer after normalising, else 0. No gold answer: 1 for an empty answer."""
    said = normalised(answer)
    return float(any(normalised(gold) == said for gold in _golds(golds, version)))


def word_f1(answer: str, golds: Sequence[str], version: Version = "2.0") -> float:
    """F1 of the words that answer and gold answer share, the best gold answer counting, 0 to 1."""
    said = normalised(answer).split()
    return max(_overlap(said, normalised(gold).split(), version) for gold in _golds(golds, version))


def _golds(golds: Sequence[str], version: Version) -> Sequence[str]:
    # Only version 2.0 drops gold answers that normalise to nothing; a row without any is judged by its rule in both.
    kept = golds if version == "1.1" else [gold for gold in golds if normalised(gold)]
    return kept or [""]


def _overlap(said: Sequence[str], gold: Sequence[str], version: Version) -> float:
    if not said or not gold:
        return float(version == "2.0" and said == gold)
    shared = sum((Counter(said) & Counter(gold)).values())
    return 2 * shared / (len(said) + len(gold))
