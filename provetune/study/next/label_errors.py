"""Which labels are doubtful, by confident learning as cleanlab has it.

Northcutt, Jiang and Chuang 2021, "Confident learning: estimating uncertainty in dataset labels", arXiv:1911.00068. The
model that doubts must not have learned from the row. Departure: how many rows are named does not follow from the
confident joint alone. Where labels are hard to tell apart a model disagrees with many that are right, and the joint
cannot tell that from error. Errors, though, do not shun the easy rows: so what disagrees among the tenth of the rows
that the model is surest of is taken for the share of wrong labels, and no more rows are named than half as many again
as that share would have. (Of clean sets at most 2 in 100 of the surest tenth disagreed, 8 of a model of 720 rows that
itself was wrong on 30; of a set with 20 in 100 labels flipped 21.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from provetune.core.protocols import Array

SUREST = 0.1
LEAST_SURE_ROWS = 50
MOST_NAMED = 5000
_ALLOWANCE = 1.5


def wrong_share(labels: Array, probabilities: Array) -> tuple[float, float]:
    """Share of wrong labels, and a 95 % lower bound: of the rows that the model is surest of, those it calls otherwise.

    Args:
        labels: numbers (N,).
        probabilities: of models that did not learn from the row, (N, C).
    """
    from scipy.stats import binomtest

    count = min(len(labels), max(LEAST_SURE_ROWS, round(SUREST * len(labels))))
    surest = np.argsort(-_margins(probabilities), kind="stable")[:count]
    wrong = int((probabilities[surest].argmax(axis=1) != labels[surest]).sum())
    bound = binomtest(wrong, count, alternative="greater").proportion_ci(0.95).low
    return wrong / count, float(bound)


def doubtful_rows(labels: Array, probabilities: Array, share: float) -> Array:
    """Numbers of the rows whose label is doubtful, the most doubtful first (R,).

    Args:
        share: of labels that are wrong, see `wrong_share`; it bounds how many are named.
    """
    most = min(MOST_NAMED, round(_ALLOWANCE * share * len(labels)))
    present = np.unique(labels)
    if most == 0 or len(present) < 2:
        return np.empty(0, dtype=np.int64)
    from cleanlab.filter import find_label_issues

    # cleanlab wants every label to occur; probabilities of the others are divided among those that do.
    shares = probabilities[:, present]
    shares = shares / np.maximum(shares.sum(axis=1, keepdims=True), 1e-12)
    found = find_label_issues(
        np.searchsorted(present, labels),
        shares,
        filter_by="prune_by_noise_rate",
        return_indices_ranked_by="normalized_margin",
        n_jobs=1,
    )
    disagree = [row for row in np.asarray(found, dtype=np.int64) if probabilities[row].argmax() != labels[row]]
    return np.asarray(disagree[:most], dtype=np.int64)


def _margins(probabilities: Array) -> Array:
    """How far the likeliest label is ahead of the second (N,)."""
    top = np.sort(probabilities, axis=1)
    return top[:, -1] - top[:, -2]  # type: ignore[no-any-return]
