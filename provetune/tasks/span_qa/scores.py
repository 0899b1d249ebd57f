"""The scores of answers by name; the first is the one that selection and plain claims use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.protocols import Metric, Targets
from provetune.evaluation.answer_scores import Version, exact_match, normalised, word_f1
from provetune.evaluation.character_answers import character_exact_match, character_f1
from provetune.statistics.measured_rows import MeanOf, MeasuredRows, RowMetric
from provetune.tasks.span_qa.answers import MAY_LACK

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array

METRICS = (
    Metric("f1", "F1 of the words shared with the gold answer, as SQuAD's script has it; of Chinese, as CMRC 2018's."),
    Metric("exact_match", "Share of the answers equal to a gold one after normalising, as the same scripts have it."),
    Metric("has_answer_f1", "F1 over the questions that have an answer."),
    Metric("has_answer_exact_match", "Exact match over the questions that have an answer."),
    Metric("no_answer_accuracy", "Share of the questions without an answer that are told to have none."),
    Metric("latency_p50_ms", "Median time for one question, in milliseconds.", False, "system", high=float("inf")),
    Metric(
        "latency_p95_ms", "Time that 95 % of single questions stay under, in ms.", False, "system", high=float("inf")
    ),
    Metric(
        "latency_p99_ms", "Time that 99 % of single questions stay under, in ms.", False, "system", high=float("inf")
    ),
)


def gold_texts(label: Sequence[Mapping[str, Any]]) -> list[str]:
    """The words of the gold answers."""
    return [answer["text"] for answer in label]


def has_answer(label: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a question has an answer, as SQuAD 2.0's script sees it: one of which normalising leaves something."""
    return any(normalised(answer["text"]) for answer in label)


def answer_values(said: str, label: Sequence[Mapping[str, Any]], targets: Targets) -> tuple[float, float]:
    """F1 and exact match of one answer by the scoring that the targets have settled."""
    golds = gold_texts(label)
    if targets.options["scoring"] == "cmrc2018":
        golds = [gold for gold in golds if gold.strip()]
        return character_f1(said, golds), character_exact_match(said, golds)
    version: Version = "2.0" if targets.kind == MAY_LACK else "1.1"
    return word_f1(said, golds, version), exact_match(said, golds, version)


def measure(outcomes: pa.Table, targets: Targets, groups: Sequence[Any] | None = None) -> MeasuredRows:
    """Every metric over the rows that have a label."""
    kept = outcomes.filter(outcomes.column("label").is_valid())
    labels, said = (kept.column(name).to_pylist() for name in ("label", "prediction"))
    pairs = [answer_values(answer, label, targets) for answer, label in zip(said, labels, strict=True)]
    f1, exact = np.asarray(pairs, dtype=np.float64).reshape(-1, 2).T
    answered = np.array([has_answer(label) for label in labels], dtype=bool)
    metrics: dict[str, RowMetric] = {"f1": MeanOf(f1), "exact_match": MeanOf(exact)}
    if not answered.all():
        metrics["no_answer_accuracy"] = MeanOf(np.where(answered, np.nan, exact))
    if answered.any():
        metrics["has_answer_f1"] = MeanOf(np.where(answered, f1, np.nan))
        metrics["has_answer_exact_match"] = MeanOf(np.where(answered, exact, np.nan))
    return MeasuredRows(metrics, groups=_group_numbers(outcomes, groups))


def _group_numbers(outcomes: pa.Table, groups: Sequence[Any] | None) -> Array | None:
    if groups is None:
        return None
    labelled = outcomes.column("label").is_valid().to_numpy(zero_copy_only=False)
    kept = np.asarray([str(group) for group in groups], dtype=str)[labelled]
    return np.asarray(np.unique(kept, return_inverse=True)[1])
