"""How far answers about pairs of texts depend on which text comes first.

Where the order means something (entailment) they should; where it does not (paraphrase, matching) they should not, and
a cross-encoder never quite keeps to that by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.errors import DataError, UsageError

if TYPE_CHECKING:
    from provetune.inference.predictor import Predictor


@dataclass(frozen=True)
class OrderEffect:
    """Answers to pairs, compared with those to the same pairs the other way round.

    Attributes:
        rows: pairs that were asked.
        changed: how many get another label; None where answers are numbers.
        difference: mean over the pairs of the largest difference of a probability, or of the difference of the number.
        largest: the largest of these.
    """

    rows: int
    changed: int | None
    difference: float
    largest: float


def measure_order(predictor: Predictor, pairs: Sequence[tuple[str, str]]) -> OrderEffect:
    """Ask about every pair both ways round.

    Args:
        predictor: of a bundle that reads pairs.
        pairs: the texts as they stand.

    Raises:
        UsageError: the bundle does not read pairs, or its answers are neither labels nor numbers.
        DataError: there are no pairs.
    """
    if not predictor.columns.paired:
        raise UsageError("This bundle reads one text a row: there is no order to change.")
    if not len(pairs):
        raise DataError("There are no pairs to ask about.")
    one, other = (_answers(predictor, each) for each in (list(pairs), [pair[::-1] for pair in pairs]))
    changed = None
    if predictor.task.classes:
        said = [predictor.task.predictions(each, predictor.targets) for each in (one, other)]
        changed = sum(first["label"] != second["label"] for first, second in zip(*said, strict=True))
    apart = np.abs(one - other).max(axis=1)
    return OrderEffect(len(pairs), changed, float(apart.mean()), float(apart.max()))


def _answers(predictor: Predictor, pairs: Sequence[Any]) -> np.ndarray[Any, Any]:
    from provetune.inference.inputs import prepare

    answers = predictor.answers(prepare(pairs, predictor.columns).examples)
    if not isinstance(answers, np.ndarray) or answers.ndim != 2:
        raise UsageError(f"Answers of the task '{predictor.task.name}' are neither labels nor numbers.")
    return answers
