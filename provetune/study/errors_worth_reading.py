"""Rows that teach most when a person reads them: confident mistakes, and what candidates disagree about.

They are always validation rows. Whoever reads the texts of wrong test rows and then changes something has trained
on them; the sealed test stays unread.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.protocols import Targets
from provetune.study.report_runs import FinishedRun, align

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array

MOST_ROWS = 20
MOST_LETTERS = 1000


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
    examples: pa.Table, runs: Mapping[str, Sequence[FinishedRun]], targets: Targets, limit: int = MOST_ROWS
) -> dict[str, Any]:
    """The most confident mistakes of each candidate, and the rows that candidates answer differently.

    Args:
        examples: the validation rows.
        runs: finished runs by candidate, with outcomes of these rows.

    Returns:
        ``split``; ``mistakes`` by candidate, ordered by the probability given to what is wrong, averaged over all runs:
        ``row_id``, ``file``, ``row``, ``text``, ``label``, ``prediction`` (the most frequent wrong one), ``confidence``
        (mean over the runs that were wrong), ``wrong_runs``; ``disagreements``, the most confident first: the row and
        under ``said`` each candidate's usual ``prediction``, ``confidence`` and ``right_runs``.
    """
    present = {name: list(group) for name, group in runs.items() if group}
    if not present or "text" not in examples.column_names:
        return {"split": "validation", "mistakes": {}, "disagreements": []}
    shown, aligned = align([run for group in present.values() for run in group], examples)
    said, place = {}, 0
    for name, group in present.items():
        said[name] = _read(group, aligned[place : place + len(group)], targets)
        place += len(group)
    gold = aligned[0].column("label").to_pylist()
    rows = _Rows(shown, gold)
    return {
        "split": "validation",
        "mistakes": {name: _mistakes(rows, each, limit) for name, each in said.items()},
        "disagreements": _disagreements(rows, said, limit) if len(said) > 1 else [],
    }


@dataclass(frozen=True)
class _Rows:
    examples: pa.Table
    gold: list[Any]

    def show(self, row: int) -> dict[str, Any]:
        """Where a row comes from, what it says, and its label; a long text is cut."""
        names = self.examples.column_names
        line = {name: self.examples.column(name)[row].as_py() for name in names if not name.startswith("raw.")}
        texts = [line["text"], line.get("text_pair")]
        text = " ⏐ ".join(each for each in texts if each)
        return {
            "row_id": line["row_id"],
            "file": line.get("_file"),
            "row": line.get("_row"),
            "text": text if len(text) <= MOST_LETTERS else f"{text[: MOST_LETTERS - 1]}…",
            "label": self.gold[row],
        }


def _read(runs: Sequence[FinishedRun], outcomes: Sequence[pa.Table], targets: Targets) -> _Said:
    from provetune.evaluation.metrics import right_rows
    from provetune.evaluation.outcomes import judged_rows

    sure, wrong = [], []
    for table in outcomes:
        judged = judged_rows(table, targets)
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


def _mistakes(rows: _Rows, said: _Said, limit: int) -> list[dict[str, Any]]:
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


def _disagreements(rows: _Rows, said: Mapping[str, _Said], limit: int) -> list[dict[str, Any]]:
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
