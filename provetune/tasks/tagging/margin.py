"""How much likelier "outside" must be than a span for a word to be left out: what makes F1 on the validation rows best.

A tagger learns log-loss, where most words are outside and doubt is settled in their favour: it finds too few spans for
the best F1. Taking a margin off the logit of "outside" before decoding moves the balance, as a threshold does for
several labels (Lipton et al. 2014, arXiv:1402.1892).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.protocols import Targets
from provetune.data.span_words import Span, spans_of_cell

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array
    from provetune.tasks.tagging.answers import TagAnswers

MARGIN = "outside_margin"
"""Its name among a task's settings and among what is tuned."""
_MARGINS = tuple(np.arange(-8, 13) / 4)


def margin_of(targets: Targets) -> float:
    """The margin to decode with, in logits: the one that the problem file names or the one that was tuned, else 0."""
    given = targets.options.get(MARGIN, "auto")
    return float(targets.tuned.get(MARGIN, 0.0) if given == "auto" else given)


def best_margin(answers: TagAnswers, examples: pa.Table, targets: Targets) -> float:
    """Of the margins from -2 to 3 the one with the highest micro F1, where it gains more over 0 than chance would.

    The gain must exceed its standard error over rows: from few spans a margin would be drawn by lot.
    """
    from provetune.tasks.tagging.answers import decode

    cells = examples.column("label").to_pylist()
    gold = [None if cell is None else set(spans_of_cell(cell)) for cell in cells]
    if answers.words is None or answers.logs is None or not any(gold):
        return 0.0
    values = {}
    for margin in sorted(_MARGINS, key=abs):
        found = decode(answers.texts, answers.words, answers.logs, targets, margin=margin)
        values[margin] = _row_values(gold, found.spans(targets))
    best = max(values, key=lambda margin: (round(_f1(values[margin]), 12), -abs(margin)))
    gain = _f1(values[best]) - _f1(values[0.0])
    return float(best) if gain > _error(values[best], values[0.0]) else 0.0


def _row_values(gold: Sequence[set[Span] | None], found: Sequence[Sequence[Span]]) -> Array:
    """Of each labelled row twice its right spans, and its spans of both sides: (N, 2)."""
    rows: list[Any] = [
        (2 * len(wanted & set(said)), len(wanted) + len(said))
        for wanted, said in zip(gold, found, strict=True)
        if wanted is not None
    ]
    return np.array(rows, dtype=np.float64).reshape(-1, 2)


def _f1(values: Array) -> float:
    right, both = values.sum(axis=0)
    return float(right / both) if both else 0.0


def _error(values: Array, others: Array) -> float:
    """Standard error of the difference of two F1 over the same rows, each a ratio of sums (delta method).

    Counted by the rows that have a span on any side; infinite where only one has.
    """
    count = int(np.count_nonzero(values[:, 1] + others[:, 1]))
    if count < 2:
        return float("inf")
    shares = [(each[:, 0] - _f1(each) * each[:, 1]) / max(each[:, 1].sum(), 1.0) for each in (values, others)]
    return float(np.sqrt(count / (count - 1) * np.sum((shares[0] - shares[1]) ** 2)))
