"""Rows that cost a score most, of tasks whose labels are no classes.

A row's cost is how much better the score would be without it: exact for a mean over rows, to first order (the
infinitesimal jackknife, Efron 1982) for functions of sums such as BLEU or micro-F1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.protocols import Metric, Task
from provetune.statistics.measured_rows import MeanOf, MeasuredRows
from provetune.study.shown_rows import ShownRows, in_words

if TYPE_CHECKING:
    from provetune.core.protocols import Array

_NOTHING = 1e-12


@dataclass(frozen=True)
class Told:
    """What the R runs of a candidate said about N rows.

    Attributes:
        numbers: of its runs.
        answers: each run's predictions in words, (R, N).
        costs: (R, N).
        values: each row's own value of the metric (R, N), None where a row by itself has none.
        worse: rows that could have been better, and do not raise the score as they are, bool (R, N).
        right: rows that could not, or are answered word for word, bool (R, N).
        silent: whether nothing was said at all, as where texts are only judged for their likelihood.
    """

    numbers: tuple[int, ...]
    answers: list[list[str]]
    costs: Array
    values: Array | None
    worse: Array
    right: Array
    silent: bool

    def usual(self, row: int) -> str:
        """The answer that most runs gave; among equals that of the run with the middle cost."""
        said = [answers[row] for answers in self.answers]
        counts = Counter(said)
        most = max(counts.values())
        runs = sorted((run for run, one in enumerate(said) if counts[one] == most), key=lambda r: self.costs[r, row])
        return said[runs[(len(runs) - 1) // 2]]

    def figures(self, row: int) -> dict[str, Any]:
        """``confidence`` (never known here), ``cost`` and ``value``, averaged over the runs."""
        value = None if self.values is None else _known(self.values[:, row].mean())
        return {"confidence": None, "cost": float(self.costs[:, row].mean()), "value": value}


def read_told(
    judged: Sequence[MeasuredRows],
    predictions: Sequence[Sequence[Any]],
    numbers: Sequence[int],
    rows: ShownRows,
    task: Task,
    metric: Metric,
) -> Told:
    """What a candidate's runs said about the rows.

    Args:
        judged: of each run, N rows.
        predictions: of each run, as outcomes hold them.
        numbers: of the runs.
    """
    sign = 1.0 if metric.higher_is_better else -1.0
    found = [one.metric(metric.name) for one in judged]
    count = len(rows.gold)
    own = [one.values for one in found if isinstance(one, MeanOf)]
    values = np.stack(own) if len(own) == len(found) else None
    gaps = np.stack([sign * (one.value() - one.contributions()) for one in found])
    costs = np.nan_to_num(gaps) / max(1, count - 1)
    texts = rows.examples.column("text").to_pylist()
    gold = [in_words(task, label, text or "") for label, text in zip(rows.gold, texts, strict=True)]
    answers = [[in_words(task, one, text or "") for one, text in zip(said, texts, strict=True)] for said in predictions]
    silent = all(one is None for said in predictions for one in said)
    same = np.array([[one == label for one, label in zip(said, gold, strict=True)] for said in answers], dtype=bool)
    below = ~same if values is None else ~same & _below_best(sign * values, metric)
    right = same if values is None else same | (~below & ~np.isnan(values))
    return Told(tuple(numbers), answers, costs, values, below & (costs > -_NOTHING), right, silent)


def costly_rows(rows: ShownRows, told: Told, task: Task, limit: int) -> list[dict[str, Any]]:
    """The rows that cost one candidate most, the dearest first."""
    order = np.argsort(-told.costs.mean(axis=0), kind="stable")
    chosen = [int(row) for row in order if told.worse[:, row].any()][:limit]
    return [
        {
            **_shown(rows, row, task),
            "prediction": told.usual(row),
            **told.figures(row),
            "wrong_runs": [told.numbers[run] for run in np.flatnonzero(told.worse[:, row])],
        }
        for row in chosen
    ]


def differing_rows(rows: ShownRows, told: Mapping[str, Told], task: Task, limit: int) -> list[dict[str, Any]]:
    """The rows that candidates answer differently, those first whose values (else costs) lie furthest apart."""
    values = [each.values for each in told.values() if each.values is not None]
    compared = values if len(values) == len(told) else [each.costs for each in told.values()]
    means = np.nan_to_num(np.stack([one.mean(axis=0) for one in compared]))
    order = np.argsort(-(means.max(axis=0) - means.min(axis=0)), kind="stable")
    silent = all(each.silent for each in told.values())
    found = []
    for row in map(int, order):
        usual = {name: each.usual(row) for name, each in told.items()}
        if len(set(usual.values())) == 1 and not silent:
            continue
        said = {
            name: {
                "prediction": usual[name],
                **each.figures(row),
                "right_runs": [number for number, right in zip(each.numbers, each.right[:, row], strict=True) if right],
            }
            for name, each in told.items()
        }
        found.append({**_shown(rows, row, task), "said": said})
        if len(found) == limit:
            break
    return found


def _shown(rows: ShownRows, row: int, task: Task) -> dict[str, Any]:
    text = rows.examples.column("text")[row].as_py() or ""
    return {**rows.show(row), "label": in_words(task, rows.gold[row], text)}


def _below_best(values: Array, metric: Metric) -> Array:
    """Values (R, N), larger is better, that are not the best there can be, or that there is."""
    bound = metric.high if metric.higher_is_better else -metric.low
    best = bound if np.isfinite(bound) else np.where(np.isnan(values), -np.inf, values).max(initial=-np.inf)
    return np.asarray(np.nan_to_num(best - values) > _NOTHING)


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
