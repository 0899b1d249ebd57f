"""Arrow tables with typed columns into raw tables."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from provetune.core.errors import DataError
from provetune.data.table import RESERVED, ROW, Kind, RawTable, as_texts


def from_arrow(
    table: pa.Table,
    location: str,
    format: str,
    notes: tuple[str, ...] = (),
    names: Mapping[str, list[str]] | None = None,
) -> RawTable:
    """The rows of an Arrow table as a raw table.

    Args:
        names: for columns of label numbers, or of lists of them, the label of each number; -1 stands for no label.
    """
    while any(pa.types.is_struct(field.type) for field in table.schema):
        table = table.flatten()
    columns: dict[str, pa.ChunkedArray] = {}
    kinds: dict[str, pa.ChunkedArray] = {}
    for name in table.column_names:
        if name in RESERVED:
            raise DataError(f"The column name '{name}' is reserved.", where=location, hint="Rename the column.")
        column = table[name]
        if names and name in names:
            if not _is_list(column.type):
                columns[name] = _label_names(column, names[name])
                continue
            column = _label_lists(column, names[name])
        columns[name], found = _as_strings(column)
        if found is not None:
            kinds[name] = found
    columns[ROW] = pa.chunked_array([pa.array(np.arange(1, table.num_rows + 1), pa.int64())])
    return RawTable(pa.table(columns), location, format, notes, kinds)


def _as_strings(column: pa.ChunkedArray) -> tuple[pa.ChunkedArray, pa.ChunkedArray | None]:
    kind_type = column.type
    if pa.types.is_dictionary(kind_type):
        column = column.cast(kind_type.value_type)
        kind_type = column.type
    if pa.types.is_string(kind_type):
        return column, None
    if pa.types.is_large_string(kind_type) or pa.types.is_string_view(kind_type):
        return column.cast(pa.string()), None
    if pa.types.is_integer(kind_type) or pa.types.is_boolean(kind_type):
        kind = Kind.BOOLEAN if pa.types.is_boolean(kind_type) else Kind.NUMBER
        return column.cast(pa.string()), _constant_kind(column, kind)
    if pa.types.is_temporal(kind_type):
        return column.cast(pa.string()), None
    texts: list[pa.Array] = []
    kinds: list[pa.Array] = []
    for chunk in column.chunks:
        values, codes = as_texts(chunk.to_pylist())
        texts.append(pa.array(values, pa.string()))
        kinds.append(texts[-1].is_null().cast(pa.uint8()) if codes is None else codes)
    return pa.chunked_array(texts, pa.string()), pa.chunked_array(kinds, pa.uint8())


def _constant_kind(column: pa.ChunkedArray, kind: Kind) -> pa.ChunkedArray:
    codes = np.where(column.is_null().to_numpy(), int(Kind.MISSING), int(kind)).astype(np.uint8)
    return pa.chunked_array([pa.array(codes)])


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _label_lists(column: pa.ChunkedArray, names: list[str]) -> pa.ChunkedArray:
    lists = [
        None if numbers is None else [None if number is None or number < 0 else names[number] for number in numbers]
        for numbers in column.to_pylist()
    ]
    return pa.chunked_array([pa.array(lists, pa.list_(pa.string()))])


def _label_names(column: pa.ChunkedArray, names: list[str]) -> pa.ChunkedArray:
    numbers = pc.if_else(pc.less(column, 0), None, column)
    return pc.take(pa.chunked_array([pa.array(names, pa.string())]), numbers)
