"""Scores on parts of the rows: by raw columns of few values, and by how long the text is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.protocols import Targets, Task
from provetune.evaluation.slices import RAW
from provetune.problem.syntax import Columns
from provetune.study.document import spread
from provetune.study.report_runs import FinishedRun, align

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array

MOST_VALUES = 12
LENGTH_PARTS = 4


def slice_reports(
    examples: pa.Table,
    runs: Mapping[str, Sequence[FinishedRun]],
    task: Task,
    targets: Targets,
    metric: str,
    columns: Columns,
) -> list[dict[str, Any]]:
    """The metric of every candidate on each part of the rows.

    Args:
        examples: rows of the split that the runs' outcomes are of, with raw columns.
        columns: of the problem; what was text, label or identifier makes no slices.

    Returns:
        One mapping a division: ``by`` (the raw column, or ``"length"``), ``kind`` (``"column"`` or ``"length"``, the
        number of characters) and ``values``: ``value``, ``rows`` and ``candidates``, each ``{"mean", "seeds"}``.
    """
    flat = [run for one in runs.values() for run in one]
    if not flat:
        return []
    shown, aligned = align(flat, examples)
    reports = []
    for by, kind, parts in _divisions(shown, columns):
        values = [
            {"value": value, "rows": int(mask.sum()), "candidates": _scores(runs, aligned, mask, task, targets, metric)}
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

    used = {f"{RAW}{name}" for part in (columns.text, columns.label, columns.id) for name in _listed(part)}
    for name in examples.column_names:
        column = examples.column(name)
        if not name.startswith(RAW) or name in used or not pa.types.is_string(column.type):
            continue
        counted = pc.value_counts(column).to_pylist() if pc.count_distinct(column).as_py() <= MOST_VALUES else []
        counted = [each for each in counted if each["values"] not in (None, "")]
        if len(counted) > 1:
            ordered = sorted(counted, key=lambda each: (-each["counts"], each["values"]))
            masks = [(each["values"], _equal(column, each["values"])) for each in ordered]
            yield name.removeprefix(RAW), "column", masks
    if "text" in examples.column_names:
        lengths = pc.utf8_length(pc.fill_null(examples.column("text"), "")).to_numpy()
        parts = length_parts(np.asarray(lengths))
        if len(parts) > 1:
            yield "length", "length", parts


def _equal(column: Any, value: str) -> Array:
    import pyarrow.compute as pc

    return np.asarray(pc.fill_null(pc.equal(column, value), False).to_numpy(), dtype=bool)


def _scores(
    runs: Mapping[str, Sequence[FinishedRun]],
    aligned: Sequence[pa.Table],
    mask: Array,
    task: Task,
    targets: Targets,
    metric: str,
) -> dict[str, Any]:
    import pyarrow as pa

    kept, found, place = pa.array(mask), {}, 0
    for name, group in runs.items():
        tables = aligned[place : place + len(group)]
        place += len(group)
        if group:
            scores = [task.score(table.filter(kept), targets) for table in tables]
            found[name] = spread(scores).get(metric, {"mean": None, "seeds": [None] * len(group)})
    return found


def _listed(names: str | Sequence[str] | None) -> list[str]:
    if names is None:
        return []
    return [names] if isinstance(names, str) else list(names)
