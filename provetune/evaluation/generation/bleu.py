"""BLEU (Papineni et al. 2002), counted by sacrebleu (Post 2018, arXiv:1804.08771) row by row.

Corpus BLEU is a function of ten numbers summed over the rows: the length of what was said, the length of the closest
reference, and for n = 1…4 how many n-grams are right and how many there are. So rows can be resampled and weighted
without counting again.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.evaluation.generation.references import References, reference_lists

if TYPE_CHECKING:
    from provetune.core.protocols import Array

ORDERS = 4
COLUMNS = 2 + 2 * ORDERS
# Writing without spaces is cut into characters. sacrebleu cuts Japanese with MeCab, which is not a dependency here.
_TOKENIZERS = {"zh": "zh", "ja": "char", "th": "char"}
_DEFAULT_TOKENIZER = "13a"


def bleu_tokenizer(language: str) -> str:
    """The name of sacrebleu's tokenizer for texts in a language (ISO code): ``"zh"``, ``"char"`` or ``"13a"``."""
    return _TOKENIZERS.get(language, _DEFAULT_TOKENIZER)


def count_bleu(predictions: Sequence[str], references: References, language: str = "und") -> Array:
    """What BLEU sums over rows, float64 (N, 10): lengths said and wanted, right n-grams, n-grams (n = 1…4).

    Args:
        predictions: generated texts (N).
        references: right ones (N), each a text or several.
        language: of the texts; decides the tokenizer.
    """
    wanted = reference_lists(predictions, references)
    found = np.zeros((len(predictions), COLUMNS))
    scorer = _scorer(bleu_tokenizer(language), 1)
    for row, (said, given) in enumerate(zip(predictions, wanted, strict=True)):
        score = scorer.sentence_score(said, given)
        found[row] = [score.sys_len, score.ref_len, *score.counts, *score.totals]
    return found


def bleu_of(sums: Array) -> Array:
    """BLEU (0–100) of summed counts (…, 10), smoothed as sacrebleu does by default ("exp")."""
    sums = np.asarray(sums, dtype=np.float64)
    said, wanted = sums[..., 0], sums[..., 1]
    right, total = sums[..., 2 : 2 + ORDERS], sums[..., 2 + ORDERS :]
    scorable = (right > 0).any(axis=-1) & (total > 0).all(axis=-1) & (said > 0)
    # After the n-th order without a right one, a precision counts as if 1/2, 1/4, … of an n-gram had been right.
    halvings = np.cumsum(right <= 0, axis=-1)
    counted = np.where(right > 0, right, 0.5**halvings)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(np.where(scorable[..., None], counted / total, 1.0)).mean(axis=-1)
        brevity = np.where(said < wanted, np.exp(1 - wanted / np.where(said > 0, said, 1.0)), 1.0)
    return np.asarray(np.where(scorable, 100 * brevity * np.exp(logs), 0.0))


def bleu_signature(language: str = "und", references: int = 1) -> str:
    """sacrebleu's signature: everything that someone who wants the same number has to know.

    Args:
        references: of each row.
    """
    scorer = _scorer(bleu_tokenizer(language), references)
    scorer.corpus_score(["a"], [["a"]] * references)
    return str(scorer.get_signature()).replace("eff:yes", "eff:no")


def cut_into_words(text: str, language: str = "und") -> list[str]:
    """The text as BLEU sees it: words and punctuation, or characters where words are not told apart by spaces."""
    words: list[str] = _scorer(bleu_tokenizer(language), 1).tokenizer(text.rstrip()).split()
    return words


@cache
def _scorer(tokenizer: str, references: int) -> Any:
    from sacrebleu.metrics.bleu import BLEU

    # The effective order changes the score of one sentence, which nobody reads here, and not its counts. Without it
    # sacrebleu warns about every row.
    return BLEU(tokenize=tokenizer, effective_order=True)
