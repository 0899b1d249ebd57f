"""Relations scored as SemEval-2010 Task 8 does: directions count, the label "other" is not averaged.

The official measure (Hendrickx et al. 2010, the scorer's "(9+1)-way evaluation taking directionality into account")
merges a relation's two directions into one line. A row is a hit of that line only where the direction is right as well;
the right relation the wrong way round counts among its predicted and its gold rows. The average is over the relations
that have a gold row, each the same; "other" is left out of it, though a row of a relation that is taken for "other", or
the reverse, costs that relation its recall or its precision.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from provetune.core.protocols import Array

DIRECTION = re.compile(r"\s*\((e1\s*,\s*e2|e2\s*,\s*e1)\)\s*\Z", re.IGNORECASE)
PARTS = ("precision", "recall", "f1")
_NONE = -1
# A statistic under this share of the largest is none: sums are asked for at points a little beside the counted ones.
_NOTHING = 2e-7


@dataclass(frozen=True)
class Relations:
    """The relations behind directed labels.

    Attributes:
        names: of R relations, without direction, in the labels' order; "other" is not among them.
        numbers: relation of each of C labels, int64 (C,); -1 for "other".
    """

    names: tuple[str, ...]
    numbers: Array


def relation_of(label: str) -> str:
    """A label without its direction: ``"Cause-Effect(e2,e1)"`` → ``"Cause-Effect"``."""
    return DIRECTION.sub("", label)


def relations_of(labels: Sequence[str], other: str | None) -> Relations:
    """The relations of C labels; `other` is the label that means no relation, None where there is none."""
    names: dict[str, int] = {}
    numbers = [_NONE if label == other else names.setdefault(relation_of(label), len(names)) for label in labels]
    return Relations(tuple(names), np.asarray(numbers, dtype=np.int64))


def relation_statistics(gold: Array, said: Array, relations: Relations, *, directed: bool = True) -> Array:
    """What each row adds to the scores' sums: hits, predicted and gold rows of each relation, float64 (N, 3R).

    Args:
        gold, said: label numbers (N,) each. A gold number that is negative, or beyond the labels, is a relation that
            is not known: its row still counts among what was predicted.
        directed: whether the right relation the wrong way round is wrong.
    """
    count, width = len(gold), len(relations.names)
    sums = np.zeros((count, 3, width))
    rows = np.arange(count)
    said_relation = _numbers(said, relations)
    gold_relation = _numbers(gold, relations)
    same = np.asarray(gold) == np.asarray(said) if directed else gold_relation == said_relation
    hit = same & (gold_relation != _NONE)
    for part, (mask, column) in enumerate(
        ((hit, gold_relation), (said_relation != _NONE, said_relation), (gold_relation != _NONE, gold_relation))
    ):
        sums[rows[mask], part, column[mask]] = 1.0
    return sums.reshape(count, 3 * width)


def macro_of(part: str, sums: Array) -> Array:
    """Precision, recall or F1 averaged over the relations that have gold rows.

    Args:
        part: one of `PARTS`.
        sums: summed statistics (…, 3R).

    Returns:
        (…); 0 where no relation has a gold row.
    """
    hits, predicted, gold = _parts(sums)
    occurring = gold > _NOTHING * np.abs(sums).max(axis=-1, keepdims=True, initial=0.0)
    values = np.where(occurring, _score(part, hits, predicted, gold), 0.0)
    return np.asarray(values.sum(axis=-1) / np.maximum(occurring.sum(axis=-1), 1))


def micro_of(part: str, sums: Array) -> Array:
    """Precision, recall or F1 of all relations added up, "other" left out: (…, 3R) → (…).

    Only the relations that have gold rows are added up, as in the scorer.
    """
    hits, predicted, gold = _parts(sums)
    occurring = gold > _NOTHING * np.abs(sums).max(axis=-1, keepdims=True, initial=0.0)
    pooled = [np.where(occurring, values, 0.0).sum(axis=-1) for values in (hits, predicted, gold)]
    return _score(part, *pooled)


def relation_of_number(part: str, number: int, sums: Array) -> Array:
    """Precision, recall or F1 of one relation, by its number: (…, 3R) → (…)."""
    return _score(part, *(values[..., number] for values in _parts(sums)))


def relation_scores(gold: Array, said: Array, relations: Relations) -> dict[str, float]:
    """Every averaged score: ``macro_f1`` (the official one), ``micro_recall`` …; empty when there are no rows."""
    if len(gold) == 0:
        return {}
    total = relation_statistics(gold, said, relations).sum(axis=0)
    averages = {"macro": macro_of, "micro": micro_of}
    return {f"{name}_{part}": float(average(part, total)) for name, average in averages.items() for part in PARTS}


def relation_functions(relations: Relations) -> dict[str, partial[Array]]:
    """Each score as a function of summed statistics; ``f1:Cause-Effect`` and the like for single relations."""
    found = {f"macro_{part}": partial(macro_of, part) for part in PARTS}
    found.update({f"micro_{part}": partial(micro_of, part) for part in PARTS})
    for number, name in enumerate(relations.names):
        found.update({f"{part}:{name}": partial(relation_of_number, part, number) for part in PARTS})
    return found


def _numbers(labels: Array, relations: Relations) -> Array:
    known = (labels >= 0) & (labels < len(relations.numbers))
    found = relations.numbers[np.where(known, labels, 0)] if len(relations.numbers) else np.zeros_like(labels)
    return np.asarray(np.where(known, found, _NONE))


def _parts(sums: Array) -> tuple[Array, Array, Array]:
    width = sums.shape[-1] // 3
    return sums[..., :width], sums[..., width : 2 * width], sums[..., 2 * width :]


def _score(part: str, hits: Array, predicted: Array, gold: Array) -> Array:
    above, below = {
        "precision": (hits, predicted),
        "recall": (hits, gold),
        "f1": (2 * hits, predicted + gold),
    }[part]
    return np.asarray(np.divide(above, below, out=np.zeros(np.shape(below)), where=np.asarray(below) > 0))
