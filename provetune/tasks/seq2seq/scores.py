"""The scores of seq2seq by name; the first is the one that selection and plain claims use.

chrF comes first because it needs no words: it is the same for every language and tokenizer, tells texts of a few words
apart, and agrees with people's judgement of translations better than BLEU does (Kocmi et al. 2021, arXiv:2107.10821).
"""

from __future__ import annotations

from provetune.core.protocols import Metric
from provetune.evaluation.generation.scores import METRICS as OF_TEXTS

METRICS = (
    *OF_TEXTS,
    Metric("latency_p50_ms", "Median time for one text, in milliseconds.", False, "system"),
    Metric("latency_p95_ms", "Time that 95 % of single texts stay under, in milliseconds.", False, "system"),
    Metric("latency_p99_ms", "Time that 99 % of single texts stay under, in milliseconds.", False, "system"),
)
