"""The scores of chat by name; the first is the one that selection and plain claims use.

Perplexity comes first because every token of every answer votes: it needs the fewest rows to tell two models apart, and
no text has to be written for it. It compares models with one tokenizer; bits a byte compares any.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.protocols import Metric

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array

PERCENT = 100.0
METRICS = (
    Metric(
        "perplexity",
        "How many tokens the model wavers between at each token of an answer: e to the mean log-loss.",
        higher_is_better=False,
        low=1.0,
        high=math.inf,
    ),
    Metric(
        "bits_per_byte",
        "Log-loss of the answers in bits, by their bytes: comparable between models with different tokenizers.",
        higher_is_better=False,
        high=math.inf,
    ),
    Metric("rougeL", "F1 of the longest common subsequence with the row's answer: ROUGE-L, averaged over rows."),
    Metric("rouge1", "F1 of single words against the row's answer: ROUGE-1, averaged over rows."),
    Metric("rouge2", "F1 of pairs of words against the row's answer: ROUGE-2, averaged over rows."),
    Metric("chrf", "F-score of character n-grams against the row's answer, 0 to 100 (chrF).", high=PERCENT),
    Metric(
        "preference_accuracy",
        "Share of pairs whose chosen answer is likelier, token by token, than the rejected one.",
    ),
    Metric("latency_p50_ms", "Median time for one answer, in milliseconds.", False, "system"),
    Metric("latency_p95_ms", "Time that 95 % of single answers stay under, in milliseconds.", False, "system"),
    Metric("latency_p99_ms", "Time that 99 % of single answers stay under, in milliseconds.", False, "system"),
)


def measures(outcomes: pa.Table, language: str) -> dict[str, Any]:
    """Every metric that these outcomes have, as `provetune.statistics.measured_rows.RowMetric`."""
    from provetune.statistics.measured_rows import MeanOf, OfSums

    loss, tokens, size = (_numbers(outcomes, name) for name in ("loss", "tokens", "bytes"))
    found: dict[str, Any] = {
        "perplexity": OfSums(np.stack([loss, tokens], axis=1), perplexity_of, low=1.0, high=math.inf),
        "bits_per_byte": OfSums(np.stack([loss, size], axis=1), bits_of, high=math.inf),
    }
    preferred = outcomes.column("preferred")
    if preferred.null_count < len(preferred):
        values = [math.nan if each is None else float(each) for each in preferred.to_pylist()]
        found["preference_accuracy"] = MeanOf(np.asarray(values))
    if outcomes.num_rows and not outcomes.column("prediction").null_count:
        found |= _of_texts(outcomes.column("prediction").to_pylist(), outcomes.column("label").to_pylist(), language)
    return found


def perplexity_of(sums: Array) -> Array:
    """Summed log-loss and tokens (…, 2) → perplexity (…)."""
    sums = np.asarray(sums, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.asarray(np.exp(sums[..., 0] / sums[..., 1]))


def bits_of(sums: Array) -> Array:
    """Summed log-loss in nats and bytes (…, 2) → bits a byte (…)."""
    sums = np.asarray(sums, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(sums[..., 0] / sums[..., 1] / math.log(2))


def _of_texts(said: Sequence[str], wanted: Sequence[str], language: str) -> dict[str, Any]:
    from provetune.evaluation.generation.chrf import chrf_of, count_chrf
    from provetune.evaluation.generation.rouge import rouge_scores
    from provetune.statistics.measured_rows import MeanOf, OfSums

    rouge = rouge_scores(said, wanted, language)
    return {
        **{name: MeanOf(rouge[name]) for name in ("rougeL", "rouge1", "rouge2")},
        "chrf": OfSums(count_chrf(said, wanted), chrf_of, high=PERCENT),
    }


def _numbers(outcomes: pa.Table, name: str) -> Array:
    return np.asarray(outcomes.column(name).to_numpy(), dtype=np.float64)
