"""Faults that only conversations have: answers that echo the question, one answer for all, pairs told by length.

Turns out of order, empty turns and unknown roles are faults of a row and told where it is read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.protocols import Finding
from provetune.data.conversations import read_messages

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array

SHOWN = 5
COMMON_SHARE = 0.5
LONGER_SHARE = 0.8
LEAST_ROWS = 20


def find_faults(splits: Mapping[str, pa.Table]) -> list[Finding]:
    """Faults of all splits, with places of the first rows that have them."""
    rows = _Rows(splits)
    if not rows.answers:
        return []
    return [*_find_echoes(rows), *_find_common_answer(rows), *_find_length_bias(rows)]


class _Rows:
    """Last questions and answers of all splits, one after the other."""

    def __init__(self, splits: Mapping[str, pa.Table]) -> None:
        self.places: list[dict[str, Any]] = []
        self.questions: list[str] = []
        self.answers: list[str] = []
        self.rejected: list[str | None] = []
        for split, table in splits.items():
            worse = (
                table.column("rejected").to_pylist() if "rejected" in table.column_names else [None] * table.num_rows
            )
            files = table.column("_file").to_pylist() if "_file" in table.column_names else [None] * table.num_rows
            numbers = table.column("_row").to_pylist() if "_row" in table.column_names else [None] * table.num_rows
            texts, labels = table.column("text").to_pylist(), table.column("label").to_pylist()
            for text, label, other, file, number in zip(texts, labels, worse, files, numbers, strict=True):
                if text is None or label is None:
                    continue
                self.places.append({"file": file, "row": number, "split": split} if file is not None else {})
                self.questions.append(read_messages(text)[-1]["content"])
                self.answers.append(label)
                self.rejected.append(other)

    def first(self, numbers: Array | Sequence[int]) -> tuple[Mapping[str, Any], ...]:
        """File, row and split of the first of these rows."""
        return tuple(place for number in list(numbers)[:SHOWN] if (place := self.places[int(number)]))


def _find_echoes(rows: _Rows) -> list[Finding]:
    pairs = zip(rows.questions, rows.answers, strict=True)
    same = [number for number, (question, answer) in enumerate(pairs) if _fold(question) == _fold(answer)]
    if not same:
        return []
    message = f"{_counted(len(same), 'answer repeats', 'answers repeat')} the question: the model learns to echo."
    return [Finding("answer_repeats_question", "warning", len(same), message, rows.first(same))]


def _find_common_answer(rows: _Rows) -> list[Finding]:
    folded = [_fold(answer) for answer in rows.answers]
    answer, count = Counter(folded).most_common(1)[0]
    if len(folded) < LEAST_ROWS or count <= COMMON_SHARE * len(folded):
        return []
    which = [number for number, each in enumerate(folded) if each == answer]
    message = (
        f"{count / len(folded):.0%} of the answers are the same ('{rows.answers[which[0]][:60]}'): a model that always "
        "says so will look good. If answers are labels, the task is classification."
    )
    return [Finding("one_answer_for_most", "warning", count, message, rows.first(which))]


def _find_length_bias(rows: _Rows) -> list[Finding]:
    """Annotators prefer long answers, and a model that learns from them learns to be long (Singhal et al. 2023)."""
    pairs = [
        (number, len(answer), len(other))
        for number, (answer, other) in enumerate(zip(rows.answers, rows.rejected, strict=True))
        if other is not None
    ]
    if len(pairs) < LEAST_ROWS:
        return []
    longer = np.asarray([chosen > other for _, chosen, other in pairs])
    shorter = np.asarray([chosen < other for _, chosen, other in pairs])
    for found, word in ((longer, "longer"), (shorter, "shorter")):
        if found.mean() >= LONGER_SHARE:
            message = (
                f"In {found.mean():.0%} of the pairs the chosen answer is the {word} one: the model may learn to be "
                f"{word} rather than better. Balance the pairs, or watch the length of what it writes."
            )
            where = rows.first([pairs[k][0] for k in np.flatnonzero(found)])
            return [Finding("preference_by_length", "warning", int(found.sum()), message, where)]
    return []


def _fold(text: str) -> str:
    return " ".join(text.casefold().split())


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"
