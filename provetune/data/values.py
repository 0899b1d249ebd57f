"""Label cells that hold numbers: one a row, several from columns of their own or from a list."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from provetune.core.protocols import BadRow
from provetune.data.labels import MISSING_WORDS
from provetune.data.table import Kind, RawTable

_MOST_BINS, _ROWS_A_BIN = 10, 20
_LETTERS = 40


def read_values(raw: RawTable, columns: str | Sequence[str] | None) -> tuple[pa.Array, tuple[BadRow, ...]]:
    """The numbers of all rows, and the rows whose cells hold none.

    An empty cell and NaN are no label. Of several numbers a row has all or none.

    Returns:
        float64 (N); or, for several columns or a column of lists, structs of float64 by column name (for lists by place
        from 1). Null where there is no label or a bad one.
    """
    if columns is None:
        return pa.nulls(raw.rows, pa.float64()), ()
    names = [columns] if isinstance(columns, str) else list(columns)
    if len(names) == 1:
        if (raw.kind_of(names[0]) == Kind.LIST).any():
            return _from_lists(raw, names[0])
        values, bad = _column_values(raw, names[0])
        return pa.array(values, from_pandas=True), tuple(bad.values())
    parts = [_column_values(raw, name) for name in names]
    values = np.stack([part for part, _ in parts], axis=1)
    faults: dict[int, BadRow] = {}
    for _, bad in parts:
        faults = {**bad, **faults}
    absent = np.isnan(values)
    for row in np.flatnonzero(absent.any(axis=1) & ~absent.all(axis=1)).tolist():
        name = names[int(absent[row].argmax())]
        faults.setdefault(row, BadRow(row, name, f"'{name}' has no number, but others of the row have."))
    return _structs(values, names, faults), tuple(faults[row] for row in sorted(faults))


def value_strata(label: pa.Array) -> pa.Array:
    """A name for each row's part of the range, so that every split gets low and high numbers: strings (N).

    The parts hold equally many rows, twenty at least, ten parts at most; of several numbers the first one counts.
    """
    first = label.field(0) if pa.types.is_struct(label.type) else label
    values = np.asarray(pc.if_else(label.is_valid(), first, None).to_numpy(zero_copy_only=False), dtype=np.float64)
    known = ~np.isnan(values)
    bins = min(_MOST_BINS, int(known.sum()) // _ROWS_A_BIN)
    if bins < 2:
        return pa.array([""] * len(values), pa.string())
    edges = np.unique(np.quantile(values[known], np.linspace(0, 1, bins + 1)[1:-1]))
    numbers = np.searchsorted(edges, values, side="right")
    return pa.array([str(number) if valid else "" for number, valid in zip(numbers.tolist(), known, strict=True)])


def _column_values(raw: RawTable, name: str) -> tuple[np.ndarray, dict[int, BadRow]]:
    """Numbers of one column, NaN where there is none, and what is wrong by row."""
    cells = pc.utf8_trim_whitespace(raw.table[name])
    absent = pc.fill_null(pc.or_(pc.equal(cells, ""), pc.is_in(cells, pa.array(MISSING_WORDS))), True)
    given = pc.if_else(absent, pa.scalar(None, pa.string()), cells)
    try:
        values = np.array(pc.cast(given, pa.float64()).to_numpy(), dtype=np.float64)
    except pa.ArrowInvalid:
        values = np.array([_number(cell) for cell in given.to_pylist()], dtype=np.float64)
    wrong = np.asarray(given.is_valid().to_numpy(), dtype=bool) & ~np.isfinite(values)
    faults = {}
    for row in np.flatnonzero(wrong).tolist():
        shown = raw.table[name][row].as_py()[:_LETTERS]
        faults[row] = BadRow(row, name, f"'{shown}' is no number.")
    values[wrong] = np.nan
    return values, faults


def _from_lists(raw: RawTable, name: str) -> tuple[pa.Array, tuple[BadRow, ...]]:
    kinds = raw.kind_of(name)
    cells = raw.table[name].to_pylist()
    lists = [json.loads(cell) if kind == Kind.LIST else None for cell, kind in zip(cells, kinds, strict=True)]
    lengths = [len(one) for one in lists if one]
    width = max(set(lengths), key=lengths.count) if lengths else 1
    values, faults = np.full((raw.rows, width), np.nan), {}
    for row, (one, kind) in enumerate(zip(lists, kinds, strict=True)):
        if kind == Kind.MISSING or one == []:
            continue
        if one is None or len(one) != width or not all(_is_finite(each) for each in one):
            faults[row] = BadRow(row, name, f"'{cells[row][:_LETTERS]}' is no list of {width} numbers.")
            continue
        values[row] = one
    names = [str(place) for place in range(1, width + 1)]
    return _structs(values, names, faults), tuple(faults.values())


def _structs(values: np.ndarray, names: Sequence[str], faults: dict[int, BadRow]) -> pa.Array:
    absent = np.isnan(values).any(axis=1)
    absent[list(faults)] = True
    parts = [pa.array(np.ascontiguousarray(part)) for part in values.T]
    return pa.StructArray.from_arrays(parts, names=list(names), mask=pa.array(absent))


def _number(cell: str | None) -> float:
    try:
        return float("nan") if cell is None else float(cell.replace("_", "x"))
    except ValueError:
        return float("nan")


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
