"""From which margin on a question has no answer: what makes F1 on the validation rows highest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from provetune.core.protocols import Array


def best_threshold(margins: Array, answered: Array, lacking: Array) -> float:
    """The threshold that makes the mean score highest; of equally good ones the one nearest to 0.

    Args:
        margins: logit of "no answer" less that of the best stretch, (N,); infinite where there is no stretch.
        answered: score of each row if the best stretch is given, (N,).
        lacking: score of each row if "no answer" is, (N,).

    Returns:
        Halfway between the margins of the last row answered and the first one that is not.
    """
    order = np.argsort(margins, kind="stable")
    margins = np.asarray(margins, dtype=np.float64)[order]
    gains = np.concatenate([[0.0], np.cumsum((answered - lacking)[order])])
    bounds = [_halfway(margins, count) for count in range(len(margins) + 1)]
    # Rows of one margin are answered together or not at all.
    possible = [k for k, bound in enumerate(bounds) if bound is not None]
    best = max(gains[k] for k in possible)
    level = [bounds[k] for k in possible if gains[k] >= best - 1e-12]
    return float(min((bound for bound in level if bound is not None), key=abs))


def _halfway(margins: Array, count: int) -> float | None:
    """A threshold by which the first `count` rows are answered; None where there is none."""
    finite = margins[np.isfinite(margins)]
    if len(finite) == 0:
        return 0.0
    if count == 0:
        return float(finite[0]) - 1.0
    if count >= len(finite):
        return float(finite[-1]) + 1.0 if count in (len(finite), len(margins)) else None
    low, high = float(margins[count - 1]), float(margins[count])
    return None if low == high else (low + high) / 2
