"""chrF (Popović 2015): F-score of character n-grams, as sacrebleu computes it (orders 1 to 6, β = 2, no words).

Corpus chrF is a function of eighteen numbers summed over the rows: for each order the n-grams said, wanted and right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from provetune.evaluation.generation.references import References, reference_lists

if TYPE_CHECKING:
    from provetune.core.protocols import Array

ORDERS = 6
BETA = 2
COLUMNS = 3 * ORDERS


def count_chrf(predictions: Sequence[str], references: References) -> Array:
    """What chrF sums over rows, float64 (N, 18): n-grams said, wanted and right of order 1, then of order 2, ….

    With several references a row counts against the one that fits best.

    Args:
        predictions: generated texts (N).
        references: right ones (N), each a text or several.
    """
    wanted = reference_lists(predictions, references)
    found = np.zeros((len(predictions), COLUMNS))
    for row, (said, given) in enumerate(zip(predictions, wanted, strict=True)):
        mine = _ngrams(said)
        candidates = np.array([_compare(mine, _ngrams(text)) for text in given], dtype=np.float64)
        found[row] = candidates[int(chrf_of(candidates).argmax())]
    return found


def chrf_of(sums: Array) -> Array:
    """chrF (0–100) of summed counts (…, 18): precision and recall are averaged over the orders that occur."""
    sums = np.asarray(sums, dtype=np.float64)
    said, wanted, right = sums[..., 0::3], sums[..., 1::3], sums[..., 2::3]
    occurs = (said > 0) & (wanted > 0)
    orders = np.maximum(occurs.sum(axis=-1), 1)
    precision = np.where(occurs, right / np.where(said > 0, said, 1), 0).sum(axis=-1) / orders
    recall = np.where(occurs, right / np.where(wanted > 0, wanted, 1), 0).sum(axis=-1) / orders
    below = BETA**2 * precision + recall
    return np.asarray(100 * (1 + BETA**2) * precision * recall / np.where(below > 0, below, 1))


def chrf_signature(references: int = 1) -> str:
    """sacrebleu's signature of this chrF.

    Args:
        references: of each row.
    """
    from sacrebleu.metrics.chrf import CHRF

    scorer = CHRF(char_order=ORDERS, word_order=0, beta=BETA)
    scorer.corpus_score(["a"], [["a"]] * references)
    return str(scorer.get_signature())


def _ngrams(text: str) -> list[Counter[str]]:
    letters = "".join(text.split())
    return [Counter(letters[k : k + n] for k in range(len(letters) - n + 1)) for n in range(1, ORDERS + 1)]


def _compare(said: list[Counter[str]], wanted: list[Counter[str]]) -> list[int]:
    found: list[int] = []
    for mine, theirs in zip(said, wanted, strict=True):
        right = sum(min(count, theirs[ngram]) for ngram, count in mine.items() if ngram in theirs)
        # As sacrebleu has it: an order that the reference is too short for counts nothing as said.
        found += [mine.total() if theirs else 0, theirs.total(), right]
    return found
