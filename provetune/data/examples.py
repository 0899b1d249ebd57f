"""Raw rows into examples: what a task sees, with the way back to file and row kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import pyarrow as pa

from provetune.core.protocols import Detected, Role, RowParts
from provetune.data.privacy import mask_column
from provetune.data.row_ids import row_ids
from provetune.data.table import ROW, RawTable
from provetune.problem.syntax import Columns, Data

RAW_PREFIX = "raw."


BAD = "_bad"
"""Why a row cannot be used, by the task; null where it can."""
STRATUM = "stratum"
"""What a draw keeps in equal shares, where labels are no classes."""


class Reads(Protocol):
    """What reading rows needs of a task (`provetune.core.protocols.Task`)."""

    roles: tuple[Role, ...]
    classes: bool

    def detect(self, raw: RawTable, named: Mapping[str, str | list[str]]) -> Detected: ...

    def read(self, raw: RawTable, data: Data, columns: Columns) -> RowParts: ...

    def input_columns(self, columns: Columns) -> str | list[str]: ...


def to_examples(raw: RawTable, data: Data, columns: Columns, task: Reads) -> pa.Table:
    """The rows as examples.

    Returns:
        A table with ``row_id`` (string), what the task read (``text``, string, null where missing; ``text_pair``
        where rows have two; ``label``, null where missing), ``_bad`` (string: the field and what is wrong with it),
        ``_file`` (string), ``_row`` (int64) and every column of the file as ``raw.<name>`` (string). Texts, and the raw
        columns they come from, are masked as `data.mask` says; ids are not changed by masking.

    Raises:
        DataError: the columns cannot be used as a whole, or a cell of a classification; names the row.
    """
    parts = task.read(raw, data, columns)
    table: dict[str, pa.ChunkedArray] = {"row_id": row_ids(raw)}
    for name, values in parts.columns.items():
        column = values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])
        masked = name in ("text", "text_pair") and not parts.masked
        table[name] = mask_column(column, data.mask) if masked else column
    if not task.classes and STRATUM not in table:
        # Labels that are no classes give no shares to keep.
        table[STRATUM] = pa.chunked_array([pa.repeat(pa.scalar("", pa.string()), raw.rows)])
    table[BAD] = _bad_column(parts, raw)
    file = pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), raw.rows), [raw.short_name])
    table["_file"] = pa.chunked_array([file.cast(pa.string())])
    table[ROW] = raw.table[ROW]
    table.update(_raw_columns(raw, data, task.input_columns(columns)))
    return pa.table(table)


def _bad_column(parts: RowParts, raw: RawTable) -> pa.ChunkedArray:
    if not parts.bad:
        return pa.chunked_array([pa.nulls(raw.rows, pa.string())])
    said: list[str | None] = [None] * raw.rows
    for fault in parts.bad:
        said[fault.row] = said[fault.row] or f"{fault.field}: {fault.message}"
    return pa.chunked_array([pa.array(said, pa.string())])


def _raw_columns(raw: RawTable, data: Data, named: str | list[str]) -> Mapping[str, pa.ChunkedArray]:
    texts = [named] if isinstance(named, str) else named
    return {
        f"{RAW_PREFIX}{name}": mask_column(raw.table[name], data.mask if name in texts else []) for name in raw.names
    }
