"""What `next` measures itself, in seconds: a learning curve, and training rows whose label is doubtful."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.statistics.judged import contributions_of
from provetune.study.next.cheap_learner import DRAWS, SHARES, CheapLearner
from provetune.study.next.evidence import Curve, Suspicion
from provetune.study.next.label_errors import doubtful_rows, wrong_share
from provetune.study.next.learning_curve import CurvePoint

if TYPE_CHECKING:
    from provetune.core.protocols import Array

FOLDS = 5
LEAST_ROWS = 40
COLUMNS = ("row_id", "file", "row", "text", "label", "likely", "confidence", "corrected")
"""Of the file of doubtful rows; the last one is the person's: empty leaves the row out of training."""
MOST_LETTERS = 1000


def probe_curve(learner: CheapLearner, metric: str) -> Curve | None:
    """Scores on a quarter, a half and three quarters of the training rows, a few draws each, and on all of them."""
    from provetune.data.drawing import ids_and_strata
    from provetune.data.variants import draw_share

    if learner.train.num_rows < LEAST_ROWS:
        return None
    rows = ids_and_strata(learner.train)
    points = []
    for share in (*SHARES, 1.0):
        draws = [draw_share(rows, share, seed) for seed in range(DRAWS)] if share < 1 else [np.arange(rows.num_rows)]
        contributions = [contributions_of(metric, learner.judged(draw)) for draw in draws]
        points.append(CurvePoint(round(float(np.mean([len(draw) for draw in draws]))), np.stack(contributions)))
    return Curve(learner.name, tuple(points), measured=False)


def probe_labels(learner: CheapLearner, metric: str) -> Suspicion | None:
    """Doubtful training rows, and what leaving them out changes on validation rows; None where that cannot be told."""
    if not learner.task.classes or learner.labels.ndim != 1 or learner.train.num_rows < LEAST_ROWS:
        return None
    probabilities = learner.held_out(make_folds(learner.labels))
    share, at_least = wrong_share(learner.labels, probabilities)
    doubtful = doubtful_rows(learner.labels, probabilities, share)
    everyone = np.arange(learner.train.num_rows)
    kept = np.setdiff1d(everyone, doubtful)
    if not len(doubtful) or len(np.unique(learner.labels[kept])) < len(np.unique(learner.labels)):
        return Suspicion(share, at_least, (), 0.0, (0.0, 0.0), learner.name)
    before, after = (contributions_of(metric, learner.judged(rows)) for rows in (everyone, kept))
    gain, error = float((after - before).mean()), float((after - before).std(ddof=1) / len(before) ** 0.5)
    rows = tuple(_listed(learner, int(row), probabilities[row]) for row in doubtful)
    return Suspicion(share, at_least, rows, gain, (gain - 1.96 * error, gain + 1.96 * error), learner.name)


def make_folds(labels: Array) -> Array:
    """Number of each row's fold (N,): every label's rows are dealt out in turn, in an order that a seed draws."""
    order = np.random.default_rng(0).permutation(len(labels))
    folds = np.empty(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        own = order[labels[order] == label]
        folds[own] = np.arange(len(own)) % FOLDS
    return folds


def _listed(learner: CheapLearner, row: int, probabilities: Array) -> Mapping[str, Any]:
    line = learner.train.slice(row, 1).to_pylist()[0]
    likely = int(probabilities.argmax())
    text = " ⏐ ".join(each for each in (line["text"], line.get("text_pair")) if each)
    return {
        "row_id": line["row_id"],
        "file": line.get("_file"),
        "row": line.get("_row"),
        "text": text[:MOST_LETTERS],
        "label": line["label"],
        "likely": learner.targets.names[likely],
        "confidence": round(float(probabilities[likely]), 4),
        "corrected": "",
    }
