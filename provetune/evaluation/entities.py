"""Precision, recall and F1 of entities: a predicted span is right when its start, its end and its label are.

Equal to seqeval's where the spans come from tags (its default reading or its strict one, see
`provetune.data.tag_schemes`). Everything is a function of sums over rows, so that the verdict can take it: of each row
the correct, the predicted and the gold entities of each label, 3 · T numbers for T labels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from provetune.core.protocols import Array

Span: TypeAlias = tuple[int, int, str]
PARTS = ("precision", "recall", "f1")
AVERAGES = ("micro", "macro", "weighted")


@dataclass(frozen=True)
class EntityReport:
    """One line of the table per label: scores between 0 and 1, `support` in gold entities."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int
    predicted: int

    def to_json(self) -> dict[str, Any]:
        return dict(self.__dict__)


def labels_of(*sides: Sequence[Iterable[Span]]) -> list[str]:
    """The labels of all spans, sorted."""
    return sorted({label for rows in sides for spans in rows for _, _, label in spans})


def count_entities(gold: Sequence[Iterable[Span]], predicted: Sequence[Iterable[Span]], labels: Sequence[str]) -> Array:
    """Correct, predicted and gold entities of each row: int64 (N, 3 · T), each third in the order of `labels`.

    A span that is given twice in one row counts once.

    Raises:
        ValueError: the two sides differ in their rows, or a label is not among `labels`.
    """
    if len(gold) != len(predicted):
        raise ValueError(f"There must be as many predictions as rows. Got {len(predicted)} for {len(gold)} instead.")
    unknown = set(labels_of(gold, predicted)) - set(labels)
    if unknown:
        raise ValueError(f"The labels {sorted(unknown)} are not among {list(labels)}.")
    number = {label: k for k, label in enumerate(labels)}
    size = len(labels)
    counts = np.zeros((len(gold), 3 * size), dtype=np.int64)
    for row, (wanted, found) in enumerate(zip(gold, predicted, strict=True)):
        wanted, found = set(wanted), set(found)
        for part, spans in enumerate((wanted & found, found, wanted)):
            for _, _, label in spans:
                counts[row, part * size + number[label]] += 1
    return counts


def label_part(sums: Array, part: str, label: int) -> Array:
    """Precision, recall or F1 of one label from sums (…, 3 · T); 0 where there is nothing to divide by."""
    correct, predicted, gold = _thirds(sums)
    return _part(correct[..., label], predicted[..., label], gold[..., label], part)


def averaged_part(sums: Array, part: str, average: str) -> Array:
    """Micro, macro or weighted precision, recall or F1 from sums (…, 3 · T).

    The macro average is over the labels that occur on either side; 0 where none does.
    """
    correct, predicted, gold = _thirds(sums)
    if average == "micro":
        return _part(correct.sum(axis=-1), predicted.sum(axis=-1), gold.sum(axis=-1), part)
    each = _part(correct, predicted, gold, part)
    weights = gold if average == "weighted" else (predicted + gold > 0).astype(np.float64)
    total = weights.sum(axis=-1)
    return np.asarray((each * weights).sum(axis=-1) / np.where(total > 0, total, 1.0))


def entity_scores(counts: Array) -> dict[str, float]:
    """All averaged scores of rows (N, 3 · T): ``precision``, ``recall``, ``f1`` (micro), ``macro_f1`` and so on."""
    sums = np.asarray(counts).sum(axis=0)
    scores = {}
    for average in AVERAGES:
        for part in reversed(PARTS):
            name = part if average == "micro" else f"{average}_{part}"
            scores[name] = float(averaged_part(sums, part, average))
    return scores


def entity_reports(counts: Array, labels: Sequence[str]) -> list[EntityReport]:
    """The table per label, for the labels that occur."""
    sums = np.asarray(counts).sum(axis=0)
    _, predicted, gold = _thirds(sums)
    return [
        EntityReport(
            label,
            float(label_part(sums, "precision", k)),
            float(label_part(sums, "recall", k)),
            float(label_part(sums, "f1", k)),
            support=int(gold[k]),
            predicted=int(predicted[k]),
        )
        for k, label in enumerate(labels)
        if predicted[k] + gold[k] > 0
    ]


def error_kinds(gold: Sequence[Iterable[Span]], predicted: Sequence[Iterable[Span]]) -> dict[str, int]:
    """What became of the entities: each gold one falls under one of the first five, and spurious ones are predicted.

    ``correct``, ``wrong_label`` (the same place), ``wrong_boundary`` (overlaps a prediction of its label),
    ``both_wrong`` (overlaps one of another label only), ``missed``; ``spurious`` overlaps no gold entity.
    """
    found: Counter[str] = Counter(
        dict.fromkeys(("correct", "wrong_label", "wrong_boundary", "both_wrong", "missed", "spurious"), 0)
    )
    for wanted, given in zip(gold, predicted, strict=True):
        wanted, given = set(wanted), set(given)
        for span in wanted:
            found[_fate(span, given)] += 1
        found["spurious"] += sum(not any(_overlap(span, other) for other in wanted) for span in given)
    return dict(found)


def _fate(span: Span, given: set[Span]) -> str:
    if span in given:
        return "correct"
    near = [other for other in given if _overlap(span, other)]
    if not near:
        return "missed"
    if any(other[:2] == span[:2] for other in near):
        return "wrong_label"
    return "wrong_boundary" if any(other[2] == span[2] for other in near) else "both_wrong"


def _overlap(one: Span, other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _thirds(sums: Array) -> tuple[Array, Array, Array]:
    values = np.asarray(sums, dtype=np.float64)
    size = values.shape[-1] // 3
    return values[..., :size], values[..., size : 2 * size], values[..., 2 * size :]


def _part(correct: Array, predicted: Array, gold: Array, part: str) -> Array:
    if part == "precision":
        above, below = correct, predicted
    elif part == "recall":
        above, below = correct, gold
    else:
        above, below = 2 * correct, predicted + gold
    return np.asarray(above / np.where(below > 0, below, 1.0))
