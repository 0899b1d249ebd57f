"""Two labels that are taken for each other as if nothing told them apart: merged, or defined more sharply.

Among the rows of two labels that were given one of the two, Cohen's kappa says how much better than by chance
they are told
apart. What is confused merely because it is frequent has a high kappa; labels that mean the same have one near nought.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from provetune.statistics.rows import JudgedRows
from provetune.study.next.evidence import Evidence
from provetune.study.next.kinds import _costs
from provetune.study.next.step import Change, Order, Step

if TYPE_CHECKING:
    from provetune.core.protocols import Array

MOST_KAPPA = 0.4
"""Under this, even at the upper end of its interval, labels are told apart fairly at best (Landis and Koch 1977)."""
LEAST_ROWS = 10


class MergeLabels:
    """`merge_labels`."""

    name = "merge_labels"

    def propose(self, evidence: Evidence) -> Sequence[Step]:
        leader = evidence.leader
        judged = [rows for rows in leader.judged if isinstance(rows, JudgedRows) and rows.labels.ndim == 1]
        if len(evidence.label_names) < 3 or not judged:
            return []
        count = len(evidence.label_names)
        counts = np.mean([_confusion(rows.labels, rows.predictions, count) for rows in judged], axis=0)
        total = counts.sum()
        found = []
        for one, other in combinations(range(count), 2):
            pair = counts[np.ix_([one, other], [one, other])]
            mistaken = pair[0, 1] + pair[1, 0]
            if pair.sum() < LEAST_ROWS or mistaken / total < evidence.smallest / 4:
                continue
            kappa, error = _kappa(pair)
            if kappa + 1.96 * error < MOST_KAPPA:
                found.append((float(mistaken / total), one, other, kappa))
        return [_merge(evidence, *max(found), float(total))] if found else []


KIND = MergeLabels()


def _merge(evidence: Evidence, share: float, one: int, other: int, kappa: float, total: float) -> Step:
    leader, names = evidence.leader, evidence.label_names
    first, second = names[one], names[other]
    error = 1.96 * (share * (1 - share) / total) ** 0.5
    merged = f"{first}_or_{second}"
    pays = share >= evidence.smallest and share > error
    level = round(leader.score, 3)
    return Step(
        "merge_labels",
        f"Merge '{first}' and '{second}', or say more sharply what tells them apart",
        f"'{leader.name}' takes '{first}' and '{second}' for each other as if by chance (kappa {kappa:.2f} between the "
        f"two), far beyond what their sizes explain: {share:.1%} of all validation rows are such mistakes.",
        share,
        (share - error, share + error),
        _costs.runs(leader, evidence.seeds),
        Order.EVIDENCE if pays else Order.SMALL,
        "mistakes between the two on validation rows, which merging undoes",
        change=Change(
            (leader.name,),
            (f"{leader.name} > {level:g}",),
            put=((("data", "merge"), {merged: [first, second]}),),
            head=(
                f"'{first}' and '{second}' read as one label; {level:g} is what '{leader.name}' reached while "
                f"they were two.",
                "Merge only what you would treat alike. Else write down what tells the two apart, and label "
                "those rows again.",
            ),
        ),
        details={"labels": [first, second], "kappa": kappa, "mistaken_share": share},
    )


def _confusion(labels: Array, predictions: Array, count: int) -> Array:
    known = (labels < count) & (predictions < count)
    table = np.bincount(labels[known] * count + predictions[known], minlength=count * count)
    return table.reshape(count, count).astype(np.float64)


def _kappa(pair: Array) -> tuple[float, float]:
    """Cohen's kappa of a table of counts (2, 2), and its standard error by the usual large-sample form."""
    total = pair.sum()
    agreed = np.trace(pair) / total
    chance = float((pair.sum(axis=0) * pair.sum(axis=1)).sum() / total**2)
    if chance >= 1:
        return 1.0, 0.0
    kappa = (agreed - chance) / (1 - chance)
    return float(kappa), float((agreed * (1 - agreed) / total) ** 0.5 / (1 - chance))
