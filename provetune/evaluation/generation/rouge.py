"""ROUGE-1, ROUGE-2 and ROUGE-L (Lin 2004): F1 of words, pairs of words and the longest common subsequence.

Equal to the rouge-score package; the score of many rows is the mean of the rows'. English words are stemmed (Porter,
longer than three letters), as is usual where summaries are reported; Chinese goes by character.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from provetune.evaluation.generation.porter import stem
from provetune.evaluation.generation.references import References, reference_lists
from provetune.evaluation.generation.words import words_of

if TYPE_CHECKING:
    from provetune.core.protocols import Array

NAMES = ("rouge1", "rouge2", "rougeL")
_STEMMED_FROM = 4


def rouge_scores(predictions: Sequence[str], references: References, language: str = "und") -> dict[str, Array]:
    """F1 of every row (0–1) under ``rouge1``, ``rouge2`` and ``rougeL``, float64 (N,) each.

    With several references a row has its best.

    Args:
        predictions: generated texts (N).
        references: right ones (N), each a text or several.
        language: of the texts; decides what a word is, and ``"en"`` that words are stemmed.
    """
    wanted = reference_lists(predictions, references)
    found = np.zeros((len(predictions), len(NAMES)))
    for row, (said, given) in enumerate(zip(predictions, wanted, strict=True)):
        mine = rouge_words(said, language)
        found[row] = np.max([_compare(mine, rouge_words(text, language)) for text in given], axis=0)
    return {name: found[:, k].copy() for k, name in enumerate(NAMES)}


def rouge_words(text: str, language: str = "und") -> list[str]:
    """The words that ROUGE compares."""
    found = words_of(text, language)
    if language != "en":
        return found
    stemmed = [stem(word) if len(word) >= _STEMMED_FROM else word for word in found]
    return [word for word in stemmed if word]


def longest_common(first: Sequence[str], second: Sequence[str]) -> int:
    """Length of the longest common subsequence, in words.

    All cells of a row are one integer's bits (Crochemore et al. 2001; Hyyrö 2004), so that long texts cost little.
    """
    places: dict[str, int] = {}
    for k, word in enumerate(first):
        places[word] = places.get(word, 0) | (1 << k)
    everything = (1 << len(first)) - 1
    open_places = everything
    for word in second:
        taken = open_places & places.get(word, 0)
        open_places = ((open_places + taken) | (open_places - taken)) & everything
    return len(first) - open_places.bit_count()


def _compare(said: list[str], wanted: list[str]) -> list[float]:
    common = longest_common(said, wanted)
    return [_ngram_f1(said, wanted, 1), _ngram_f1(said, wanted, 2), _f1(common, len(said), len(wanted))]


def _ngram_f1(said: list[str], wanted: list[str], order: int) -> float:
    mine, theirs = _count(said, order), _count(wanted, order)
    return _f1((mine & theirs).total(), mine.total(), theirs.total())


def _count(words: list[str], order: int) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(words[k:] for k in range(order)), strict=False))


def _f1(right: int, said: int, wanted: int) -> float:
    if right == 0:
        return 0.0
    precision, recall = right / said, right / wanted
    return 2 * precision * recall / (precision + recall)
