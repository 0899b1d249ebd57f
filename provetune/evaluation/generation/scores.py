"""The scores of generated texts by name, each with the statistics of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from provetune.core.protocols import Metric
from provetune.evaluation.generation.bleu import bleu_of, bleu_signature, count_bleu
from provetune.evaluation.generation.chrf import chrf_of, chrf_signature, count_chrf
from provetune.evaluation.generation.meteor import meteor_scores
from provetune.evaluation.generation.references import References
from provetune.evaluation.generation.rouge import rouge_scores
from provetune.statistics.measured_rows import MeanOf, OfSums

if TYPE_CHECKING:
    from provetune.statistics.measured_rows import RowMetric

PERCENT = 100.0
METRICS = (
    Metric("chrf", "F-score of character n-grams, 0 to 100 (chrF, by sacrebleu's rules).", high=PERCENT),
    Metric("bleu", "Precision of word n-grams with a penalty for brevity, 0 to 100 (sacrebleu).", high=PERCENT),
    Metric("rouge1", "F1 of single words: ROUGE-1, averaged over rows; Chinese by character."),
    Metric("rouge2", "F1 of pairs of words: ROUGE-2, averaged over rows; Chinese by character."),
    Metric("rougeL", "F1 of the longest common subsequence: ROUGE-L, averaged over rows; Chinese by character."),
    Metric("meteor_stem", "METEOR with exact and stem matching, without synonyms, averaged over rows."),
)


def generation_measures(
    predictions: Sequence[str], references: References, language: str = "und"
) -> dict[str, RowMetric]:
    """Every metric of `METRICS` over N rows, as the verdict takes it.

    Args:
        predictions: generated texts (N).
        references: right ones (N), each a text or several.
        language: short code of the texts' language.
    """
    bleu, chrf = count_bleu(predictions, references, language), count_chrf(predictions, references)
    return {
        "chrf": OfSums(chrf, chrf_of, high=PERCENT),
        "bleu": OfSums(bleu, bleu_of, high=PERCENT),
        **{name: MeanOf(values) for name, values in rouge_scores(predictions, references, language).items()},
        "meteor_stem": MeanOf(meteor_scores(predictions, references, language)),
    }


def generation_scores(predictions: Sequence[str], references: References, language: str = "und") -> dict[str, float]:
    """Every metric of `METRICS` over N rows; empty where there are none."""
    if not len(predictions):
        return {}
    return {name: one.value() for name, one in generation_measures(predictions, references, language).items()}


def generation_signatures(language: str = "und") -> list[tuple[str, str]]:
    """How each score is computed, for whoever wants the same number: metric and signature."""
    words = "Porter stems" if language == "en" else "no stems"
    words = "characters" if language in ("zh", "ja") else words
    return [
        ("chrf", chrf_signature()),
        ("bleu", bleu_signature(language)),
        ("rouge1, rouge2, rougeL", f"F1|{words}|mean of rows"),
        ("meteor_stem", "exact+stem|alpha:0.9|beta:3|gamma:0.5|mean of rows"),
    ]
