"""Scores on parts of the rows: by raw columns of few values, and by how long the text is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from provetune.core.protocols import Targets, Task
from provetune.evaluation.slices import RAW
from provetune.problem.syntax import Columns
from provetune.statistics.measured_rows import MeasuredRows
from provetune.study.document import spread
from provetune.study.report_runs import FinishedRun, align
from provetune.study.shown_rows import readable

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array

MOST_VALUES = 12
LENGTH_PARTS = 4
MOST_LETTERS = 100
"""A column with longer values than that holds texts, however few they are."""


def slice_reports(
    examples: pa.Table | None,
    runs: Mapping[str, Sequence[FinishedRun]],
    task: Task,
    targets: Targets,
    metric: str,
    columns: Columns,
) -> list[dict[str, Any]]:
    """The metric of every candidate on each part of the rows.

    Args:
        examples: rows of the split that the runs' outcomes are of, with raw columns; without them there are no slices.
        columns: of the problem; a column that plays a part (text, label, identifier, …) makes no slices.

    Returns:
        One mapping a division: ``by`` (the raw column, or ``"length"``), ``kind`` (``"column"`` or ``"length"``, the
        number of characters) and ``values``: ``value``, ``rows`` and ``candidates``, each ``{"mean", "seeds"}``.
    """
    flat = [run for one in runs.values() for run in one]
    if not flat or examples is None:
        return []
    shown, aligned = align(flat, examples)
    score = [_scorer(table, task, targets, metric) for table in aligned]
    reports = []
    for by, kind, parts in _divisions(shown, columns):
        values = [
            {"value": value, "rows": int(mask.sum()), "candidates": _scores(runs, score, mask, metric)}
            for value, mask in parts
        ]
        reports.append({"by": by, "kind": kind, "values": values})
    return reports


def length_parts(lengths: Array, parts: int = LENGTH_PARTS) -> list[tuple[str, Array]]:
    """Rows by length, as even in number as ties allow: ``("12–25", mask)``, shortest first.

    Args:
        lengths: characters of each row (N,).
    """
    if len(lengths) == 0:
        return []
    edges = np.unique(np.quantile(lengths, np.linspace(0, 1, parts + 1)[1:], method="lower"))
    lowest = np.concatenate([[-1], edges[:-1]])
    masks = [(lengths > low) & (lengths <= high) for low, high in zip(lowest, edges, strict=True)]
    return [(_span(lengths[mask]), mask) for mask in masks if mask.any()]


def _span(lengths: Array) -> str:
    low, high = int(lengths.min()), int(lengths.max())
    return str(low) if low == high else f"{low}–{high}"


def _divisions(examples: pa.Table, columns: Columns) -> Iterator[tuple[str, str, list[tuple[str, Array]]]]:
    import pyarrow as pa
    import pyarrow.compute as pc

    used = {f"{RAW}{name}" for part in columns.named().values() for name in _listed(part)}
    for name in examples.column_names:
        column = examples.column(name)
        if not name.startswith(RAW) or name in used or not pa.types.is_string(column.type):
            continue
        counted = pc.value_counts(column).to_pylist() if pc.count_distinct(column).as_py() <= MOST_VALUES else []
        counted = [each for each in counted if each["values"] not in (None, "")]
        if len(counted) > 1 and max(len(each["values"]) for each in counted) <= MOST_LETTERS:
            ordered = sorted(counted, key=lambda each: (-each["counts"], each["values"]))
            masks = [(each["values"], _equal(column, each["values"])) for each in ordered]
            yield name.removeprefix(RAW), "column", masks
    if "text" in examples.column_names:
        parts = length_parts(_lengths(pc.fill_null(examples.column("text"), "")))
        if len(parts) > 1:
            yield "length", "length", parts


def _lengths(texts: Any) -> Array:
    """Characters of each text, (N,); of a conversation those of its words, not of the JSON that keeps it."""
    import pyarrow.compute as pc

    lengths = np.array(pc.utf8_length(texts).to_numpy())
    for row in np.flatnonzero(pc.starts_with(texts, "[{").to_numpy()):
        lengths[row] = len(readable(texts[int(row)].as_py()))
    return lengths


def _equal(column: Any, value: str) -> Array:
    import pyarrow.compute as pc

    return np.asarray(pc.fill_null(pc.equal(column, value), False).to_numpy(), dtype=bool)


_Scorer: TypeAlias = Callable[["Array"], float]


def _scorer(outcomes: pa.Table, task: Task, targets: Targets, metric: str) -> _Scorer:
    """The metric of the rows where a mask (N,) is true. What was written is measured once, not for each part."""
    import pyarrow as pa

    if not task.classes:
        rows = task.judged(outcomes, targets)
        if isinstance(rows, MeasuredRows) and metric in rows.metrics:
            return lambda mask: rows.metrics[metric].keep(mask).value()
    return lambda mask: task.score(outcomes.filter(pa.array(mask)), targets).get(metric, float("nan"))


def _scores(
    runs: Mapping[str, Sequence[FinishedRun]], score: Sequence[_Scorer], mask: Array, metric: str
) -> dict[str, Any]:
    found, place = {}, 0
    for name, group in runs.items():
        if group:
            found[name] = spread([{metric: one(mask)} for one in score[place : place + len(group)]])[metric]
        place += len(group)
    return found


def _listed(names: str | Sequence[str] | None) -> list[str]:
    if names is None:
        return []
    return [names] if isinstance(names, str) else list(names)
