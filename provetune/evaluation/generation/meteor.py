"""METEOR with exact and stem matching (Banerjee and Lavie 2005; parameters of Lavie and Agarwal 2007).

Words of the two texts are paired, first equal ones, then those with equal stems; the score is a recall-heavy mean of
precision and recall, lowered where the pairs lie in many chunks. Synonyms, METEOR's third stage, need a dictionary for
every language and are left out, which the metric's name says. Departure from the paper: words are paired from the end,
greedily, as NLTK's implementation does, whose numbers are the ones in use, and not with the fewest crossings.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from provetune.evaluation.generation.bleu import cut_into_words
from provetune.evaluation.generation.references import References, reference_lists
from provetune.evaluation.generation.stems import stemmer_for

if TYPE_CHECKING:
    from provetune.core.protocols import Array

RECALL_SHARE = 0.9
CHUNK_POWER = 3.0
CHUNK_SHARE = 0.5


def meteor_scores(predictions: Sequence[str], references: References, language: str = "und") -> Array:
    """METEOR of every row (0–1), float64 (N,); the score of many rows is their mean.

    With several references a row has its best. Languages without a stemmer match exactly equal words alone.

    Args:
        predictions: generated texts (N).
        references: right ones (N), each a text or several.
        language: of the texts; decides tokenizer and stemmer.
    """
    wanted = reference_lists(predictions, references)
    stem = stemmer_for(language)
    found = np.zeros(len(predictions))
    for row, (said, given) in enumerate(zip(predictions, wanted, strict=True)):
        mine = cut_into_words(said.lower(), language)
        found[row] = max(meteor(mine, cut_into_words(text.lower(), language), stem) for text in given)
    return found


def meteor(said: Sequence[str], wanted: Sequence[str], stem: Callable[[str], str] | None) -> float:
    """METEOR of one text's words against a reference's."""
    pairs = _pair(said, wanted, stem)
    if not pairs:
        return 0.0
    precision, recall = len(pairs) / len(said), len(pairs) / len(wanted)
    mean = precision * recall / (RECALL_SHARE * precision + (1 - RECALL_SHARE) * recall)
    return float(mean * (1 - CHUNK_SHARE * (_chunks(pairs) / len(pairs)) ** CHUNK_POWER))


def _pair(said: Sequence[str], wanted: Sequence[str], stem: Callable[[str], str] | None) -> list[tuple[int, int]]:
    """Places of paired words, in the order of `said`."""
    mine, theirs = dict(enumerate(said)), dict(enumerate(wanted))
    pairs = _take_equal(mine, theirs)
    if stem is not None:
        left = ({place: stem(word) for place, word in words.items()} for words in (mine, theirs))
        pairs += _take_equal(*left)
    return sorted(pairs)


def _take_equal(mine: dict[int, str], theirs: dict[int, str]) -> list[tuple[int, int]]:
    """Pairs of equal words, the last with the last; they are taken out of both."""
    places: dict[str, list[int]] = defaultdict(list)
    for place, word in theirs.items():
        places[word].append(place)
    pairs = []
    for place in sorted(mine, reverse=True):
        if places.get(mine[place]):
            other = places[mine[place]].pop()
            pairs.append((place, other))
            del mine[place], theirs[other]
    return pairs


def _chunks(pairs: list[tuple[int, int]]) -> int:
    """Runs of pairs that are neighbours in both texts."""
    return 1 + sum((a + 1, b + 1) != after for (a, b), after in pairwise(pairs))
