"""Label cells into labels: one a row, or several from a separator, a list or 0/1 columns."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from provetune.core.errors import DataError
from provetune.data.table import ROW, Kind, RawTable

MISSING_WORDS = ("NaN", "nan")
_YES = ("1", "1.0", "true", "True", "TRUE")
_NO = ("0", "0.0", "false", "False", "FALSE", "")


def read_labels(raw: RawTable, column: str | Sequence[str] | None, separator: str | None) -> pa.ChunkedArray:
    """The labels of all rows: strings, or lists of strings where a row may have several; null where it has none.

    An empty cell, white space alone and NaN are no label. Where a row may have several, an empty list (or an
    empty cell of a column with a separator) says that none applies.

    Raises:
        DataError: a 0/1 column holds something else, or a label is an object.
    """
    if column is None:
        return pa.chunked_array([pa.nulls(raw.rows, pa.string())])
    if not isinstance(column, str):
        return _from_indicators(raw, list(column)) if len(column) > 1 else read_labels(raw, column[0], separator)
    kinds = raw.kind_of(column)
    if (kinds == Kind.OBJECT).any():
        raise _unusable(raw, column, int(np.argmax(kinds == Kind.OBJECT)), "an object")
    if (kinds == Kind.LIST).any():
        return _from_lists(raw, column)
    cells = raw.table[column]
    if separator is not None:
        return _from_separated(cells, separator)
    blank = pc.or_(pc.equal(pc.utf8_trim_whitespace(cells), ""), pc.is_in(cells, pa.array(MISSING_WORDS)))
    return pc.if_else(pc.fill_null(blank, True), pa.scalar(None, pa.string()), cells)


def _from_separated(cells: pa.ChunkedArray, separator: str) -> pa.ChunkedArray:
    chunks = []
    for chunk in cells.chunks:
        lists = [
            None if cell is None or cell in MISSING_WORDS else _distinct(cell.split(separator))
            for cell in chunk.to_pylist()
        ]
        chunks.append(pa.array(lists, pa.list_(pa.string())))
    return pa.chunked_array(chunks, pa.list_(pa.string()))


def _from_lists(raw: RawTable, column: str) -> pa.ChunkedArray:
    lists: list[list[str] | None] = []
    for number, (cell, kind) in enumerate(
        zip(raw.table[column].to_pylist(), raw.kind_of(column).tolist(), strict=True)
    ):
        if cell is None:
            lists.append(None)
            continue
        values = json.loads(cell) if kind == Kind.LIST else [cell]
        if any(isinstance(value, list | dict) or value is None for value in values):
            raise _unusable(raw, column, number, "a list of something else than names")
        lists.append(_distinct([value if isinstance(value, str) else json.dumps(value) for value in values]))
    return pa.chunked_array([pa.array(lists, pa.list_(pa.string()))])


def _from_indicators(raw: RawTable, columns: list[str]) -> pa.ChunkedArray:
    flags = np.zeros((raw.rows, len(columns)), dtype=bool)
    for place, column in enumerate(columns):
        cells = pc.fill_null(pc.utf8_trim_whitespace(raw.table[column]), "")
        yes = pc.is_in(cells, pa.array(_YES)).to_numpy()
        known = yes | pc.is_in(cells, pa.array(_NO)).to_numpy()
        if not known.all():
            number = int(np.argmin(known))
            raise _unusable(raw, column, number, f"'{cells[number].as_py()[:40]}', where 0 or 1 is wanted")
        flags[:, place] = yes
    rows, places = np.nonzero(flags[:, np.argsort(columns)])
    offsets = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=raw.rows))]).astype(np.int32)
    values = pa.array(sorted(columns), pa.string()).take(pa.array(places))
    return pa.chunked_array([pa.ListArray.from_arrays(pa.array(offsets), values)])


def _distinct(names: Sequence[str]) -> list[str]:
    return sorted({name.strip() for name in names} - {""})


def _unusable(raw: RawTable, column: str, number: int, what: str) -> DataError:
    return DataError(
        f"Column '{column}' holds {what}.",
        where=f"{raw.location}, row {raw.table[ROW][number].as_py()}",
        hint="A label is a name; correct the row, or name another column with data.columns.label.",
    )
