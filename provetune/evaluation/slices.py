"""Scores on parts of the rows: those where a raw column has one value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from provetune.core.errors import DataError
from provetune.core.suggest import advice
from provetune.evaluation.metrics import classification_scores
from provetune.statistics.judged import Judged
from provetune.statistics.measured_rows import MeasuredRows
from provetune.statistics.rows import JudgedRows

if TYPE_CHECKING:
    from provetune.core.protocols import Array

RAW = "raw."
MOST_SLICES = 50


def slice_mask(examples: pa.Table, conditions: Mapping[str, str] | Sequence[tuple[str, str]]) -> Array:
    """Rows for which every condition ``raw column = value`` holds, bool (N,).

    Raises:
        DataError: no such column, or no row has these values.
    """
    pairs = list(conditions.items()) if isinstance(conditions, Mapping) else list(conditions)
    mask = np.ones(len(examples), dtype=bool)
    for column, value in pairs:
        found = pc.equal(raw_column(examples, column), value)
        mask &= np.asarray(pc.fill_null(found, False).to_numpy(), dtype=bool)
    if not mask.any():
        listed = ", ".join(f"{column}={value}" for column, value in pairs)
        raise DataError(f"No row has {listed}.", hint="Check the spelling of the value.")
    return mask


def scores_by_value(
    examples: pa.Table, rows: JudgedRows, column: str, limit: int = MOST_SLICES
) -> dict[str, dict[str, float]]:
    """Every score for each value of a raw column, most frequent value first, with ``"rows"`` beside.

    Rows and examples are in the same order. At most `limit` values are scored.
    """
    if len(examples) != len(rows):
        raise ValueError(f"examples and rows must have one length. Got {len(examples)} and {len(rows)} instead.")
    values = raw_column(examples, column)
    counted = sorted(pc.value_counts(values).to_pylist(), key=lambda entry: (-entry["counts"], str(entry["values"])))
    found: dict[str, dict[str, float]] = {}
    for entry in counted[:limit]:
        if entry["values"] is None:
            continue
        mask = np.asarray(pc.fill_null(pc.equal(values, entry["values"]), False).to_numpy(), dtype=bool)
        found[entry["values"]] = {"rows": float(mask.sum()), **classification_scores(keep_rows(rows, mask))}
    return found


@overload
def keep_rows(rows: JudgedRows, mask: Array) -> JudgedRows: ...
@overload
def keep_rows(rows: MeasuredRows, mask: Array) -> MeasuredRows: ...
def keep_rows(rows: Judged, mask: Array) -> Judged:
    """The judged rows for which `mask` is true."""
    if isinstance(rows, MeasuredRows):
        return rows.keep(mask)
    return replace(
        rows,
        labels=rows.labels[mask],
        predictions=rows.predictions[mask],
        probabilities=None if rows.probabilities is None else rows.probabilities[mask],
        groups=None if rows.groups is None else rows.groups[mask],
        answered=None if rows.answered is None else rows.answered[mask],
        own={name: metric.keep(mask) for name, metric in rows.own.items()},
    )


def raw_column(examples: pa.Table, column: str) -> Any:
    """A raw column of examples by the name it has in the user's file.

    Raises:
        DataError: there is none; says which is nearest.
    """
    name = f"{RAW}{column}"
    if name not in examples.column_names:
        known = [name.removeprefix(RAW) for name in examples.column_names if name.startswith(RAW)]
        raise DataError(f"There is no column '{column}' to slice by.", hint=advice(column, known))
    return examples.column(name)
