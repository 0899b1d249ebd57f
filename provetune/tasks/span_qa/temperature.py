"""How sure a model may be of its answers: one temperature for all logits (Guo et al. 2017, arXiv:1706.04599)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.protocols import FeatureColumns, Targets
from provetune.evaluation.calibration import HIGHEST, LOWEST
from provetune.tasks.span_qa.answers import MAY_LACK, row_windows
from provetune.tasks.span_qa.search import Scores, all_spans, log_sum

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array

_MOST_ROWS = 1_000
# What is kept of them, 128 MB: passages of thousands of tokens have a hundred thousand stretches each.
_MOST_STRETCHES = 1 << 24


def fit_span_temperature(
    outputs: Sequence[Array], features: FeatureColumns, outcomes: pa.Table, targets: Targets
) -> float:
    """The temperature that makes the gold answers likeliest, between 0.05 and 20; 1.0 where no row can be used.

    Rows are left out whose gold answer is no stretch that the search would look at. Of many rows a thousand are taken,
    of long ones fewer, evenly spread.
    """
    from scipy.optimize import minimize_scalar

    labels = outcomes.column("label").to_pylist()
    longest, may_lack = int(targets.options["max_answer_length"]), targets.kind == MAY_LACK
    stretches = int(np.sum(features.lengths)) * longest
    every = max(1, -(-len(labels) // _MOST_ROWS), -(-stretches // _MOST_STRETCHES))
    judged = []
    for number, windows in enumerate(row_windows(outputs, features, len(labels))):
        if number % every == 0 and labels[number] is not None:
            pair = _gold_and_all(all_spans(windows, longest), labels[number], may_lack)
            if pair is not None:
                judged.append(pair)
    if not judged:
        return 1.0

    def loss(log_temperature: float) -> float:
        scale = np.exp(-log_temperature)
        return float(np.mean([log_sum(every * scale) - log_sum(gold * scale) for gold, every in judged]))

    found = minimize_scalar(loss, bounds=(np.log(LOWEST), np.log(HIGHEST)), method="bounded", options={"xatol": 1e-3})
    return float(np.exp(found.x))


def _gold_and_all(scores: Scores, label: Sequence[Mapping[str, Any]], may_lack: bool) -> tuple[Array, Array] | None:
    """Logits of the gold answers, and of everything that could be said; None where no gold answer is among it."""
    flat = scores.table[np.isfinite(scores.table)]
    every = np.append(flat, scores.none) if may_lack else flat
    given = [answer for answer in label if answer["text"].strip()]
    if not given:
        return (np.array([scores.none]), every) if may_lack else None
    gold: dict[tuple[int, int], float] = {}
    for answer in given:
        first = np.flatnonzero(scores.starts == answer["start"])
        last = np.flatnonzero(scores.ends == answer["start"] + len(answer["text"]))
        if answer["start"] >= 0 and len(first) and len(last) and 0 <= last[-1] - first[0] < scores.table.shape[1]:
            place = int(first[0]), int(last[-1] - first[0])
            gold[place] = float(scores.table[place])
    found = np.array(list(gold.values()))
    return (found, every) if len(found) and np.isfinite(found).all() else None
