"""Rows that teach most when a person reads them: the worst mistakes, and what candidates disagree about.

Where labels are classes these are the most confident mistakes, elsewhere the rows that cost the score most
(`provetune.study.costly_rows`). They are always validation rows. Whoever reads the texts of wrong test rows and then
changes something has trained on them; the sealed test stays unread.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from provetune.core.protocols import Targets, Task
from provetune.statistics.rows import JudgedRows
from provetune.study.costly_rows import costly_rows, differing_rows, read_told
from provetune.study.report_runs import FinishedRun, align
from provetune.study.shown_rows import ShownRows

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array

MOST_ROWS = 20
CONFIDENCE, COST = "confidence", "cost"


@dataclass(frozen=True)
class _Said:
    """What the runs of a candidate said about N rows; R runs.

    Attributes:
        numbers: of its runs.
        answers: each run's predictions, as labels or lists of labels.
        sure: probability behind each answer (R, N): of the label given, or of the worst of several mistaken ones.
        wrong: (R, N), bool.
    """

    numbers: tuple[int, ...]
    answers: list[list[Any]]
    sure: Array
    wrong: Array

    def usual(self, row: int) -> Any:
        """The answer that most runs gave; the first run's among equals."""
        return _most(answer[row] for answer in self.answers)


def errors_worth_reading(
    examples: pa.Table,
    runs: Mapping[str, Sequence[FinishedRun]],
    task: Task,
    targets: Targets,
    metric: str | None = None,
    limit: int = MOST_ROWS,
) -> dict[str, Any]:
    """The worst mistakes of each candidate, and the rows that candidates answer differently.

    Args:
        examples: the validation rows.
        runs: finished runs by candidate, with outcomes of these rows.
        metric: whose cost is meant where labels are no classes; the task's primary one by default.

    Returns:
        ``split``; ``metric``; ``by``: ``"confidence"`` where labels are classes, else ``"cost"``; ``mistakes`` by
        candidate, the worst first: ``row_id``, ``file``, ``row``, ``text``, ``label``, ``prediction`` (the most
        frequent wrong one), ``confidence`` (mean over the runs that were wrong), ``wrong_runs``; ``disagreements``: the
        row and under ``said`` each candidate's usual ``prediction``, ``confidence`` and ``right_runs``. By cost,
        labels and predictions are in the task's words, ``confidence`` is None, and ``cost`` (how much better the metric
        would be without the row) and ``value`` (the metric of this row alone, None where it has none) stand beside.
    """
    present = {name: list(group) for name, group in runs.items() if group}
    metric = metric or task.metrics[0].name
    if not present or "text" not in examples.column_names:
        return {"split": "validation", "metric": metric, "by": CONFIDENCE, "mistakes": {}, "disagreements": []}
    shown, aligned = align([run for group in present.values() for run in group], examples)
    tables, place = {}, 0
    for name, group in present.items():
        tables[name] = aligned[place : place + len(group)]
        place += len(group)
    rows = ShownRows(shown, aligned[0].column("label").to_pylist())
    judged = {name: [task.judged(table, targets) for table in group] for name, group in tables.items()}
    by = CONFIDENCE if all(isinstance(one, JudgedRows) for group in judged.values() for one in group) else COST
    find = _by_confidence if by == CONFIDENCE else _by_cost
    mistakes, disagreements = find(rows, present, tables, judged, task, metric, limit)
    return {"split": "validation", "metric": metric, "by": by, "mistakes": mistakes, "disagreements": disagreements}


_Found: TypeAlias = tuple[dict[str, list[dict[str, Any]]], list[dict[str, Any]]]


def _by_confidence(
    rows: ShownRows,
    runs: Mapping[str, Sequence[FinishedRun]],
    tables: Mapping[str, Sequence[pa.Table]],
    judged: Mapping[str, Sequence[JudgedRows]],
    task: Task,
    metric: str,
    limit: int,
) -> _Found:
    said = {name: _read(group, tables[name], judged[name]) for name, group in runs.items()}
    mistakes = {name: _mistakes(rows, each, limit) for name, each in said.items()}
    return mistakes, _disagreements(rows, said, limit) if len(said) > 1 else []


def _by_cost(
    rows: ShownRows,
    runs: Mapping[str, Sequence[FinishedRun]],
    tables: Mapping[str, Sequence[pa.Table]],
    judged: Mapping[str, Sequence[Any]],
    task: Task,
    metric: str,
    limit: int,
) -> _Found:
    if not rows.gold:
        return {name: [] for name in runs}, []
    measure = next(one for one in task.metrics if one.name == metric)
    told = {}
    for name, group in runs.items():
        predictions = [table.column("prediction").to_pylist() for table in tables[name]]
        told[name] = read_told(judged[name], predictions, [run.k for run in group], rows, task, measure)
    mistakes = {name: costly_rows(rows, each, task, limit) for name, each in told.items()}
    return mistakes, differing_rows(rows, told, task, limit) if len(told) > 1 else []


def _read(runs: Sequence[FinishedRun], outcomes: Sequence[pa.Table], rows: Sequence[JudgedRows]) -> _Said:
    from provetune.evaluation.metrics import right_rows

    sure, wrong = [], []
    for judged in rows:
        probabilities = judged.probabilities
        if probabilities is None:
            probabilities = np.zeros((len(judged), len(judged.names)))
        wrong.append(~right_rows(judged))
        if judged.labels.ndim == 1:
            sure.append(np.take_along_axis(probabilities, judged.predictions[:, None], axis=1)[:, 0])
        else:
            behind = np.where(judged.predictions, probabilities, 1 - probabilities)
            mistaken = judged.labels != judged.predictions
            sure.append(np.where(mistaken.any(axis=1), (behind * mistaken).max(axis=1), behind.min(axis=1)))
    answers = [table.column("prediction").to_pylist() for table in outcomes]
    return _Said(tuple(run.k for run in runs), answers, np.asarray(sure, dtype=np.float64), np.asarray(wrong))


def _mistakes(rows: ShownRows, said: _Said, limit: int) -> list[dict[str, Any]]:
    weight = (said.sure * said.wrong).mean(axis=0)
    order = np.argsort(-weight, kind="stable")[:limit]
    found = []
    for row in (int(row) for row in order if said.wrong[:, row].any()):
        wrong = said.wrong[:, row]
        found.append(
            {
                **rows.show(row),
                "prediction": _most(said.answers[run][row] for run in np.flatnonzero(wrong)),
                "confidence": float(said.sure[wrong, row].mean()),
                "wrong_runs": [said.numbers[run] for run in np.flatnonzero(wrong)],
            }
        )
    return found


def _disagreements(rows: ShownRows, said: Mapping[str, _Said], limit: int) -> list[dict[str, Any]]:
    usual = {name: [each.usual(row) for row in range(len(rows.gold))] for name, each in said.items()}
    differs = np.asarray([len({_key(one[row]) for one in usual.values()}) > 1 for row in range(len(rows.gold))])
    sure = np.sum([each.sure.mean(axis=0) for each in said.values()], axis=0)
    order = [int(row) for row in np.argsort(-sure, kind="stable") if differs[row]][:limit]
    return [
        {
            **rows.show(row),
            "said": {
                name: {
                    "prediction": usual[name][row],
                    "confidence": float(each.sure[:, row].mean()),
                    "right_runs": [
                        number for number, wrong in zip(each.numbers, each.wrong[:, row], strict=True) if not wrong
                    ],
                }
                for name, each in said.items()
            },
        }
        for row in order
    ]


def _most(answers: Any) -> Any:
    listed = list(answers)
    winner = Counter(map(_key, listed)).most_common(1)[0][0]
    return next(answer for answer in listed if _key(answer) == winner)


def _key(answer: Any) -> Any:
    return tuple(sorted(answer)) if isinstance(answer, list) else answer
