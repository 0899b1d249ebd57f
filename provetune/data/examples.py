"""Raw rows into examples: what a task sees, with the way back to file and row kept."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from provetune.core.errors import DataError
from provetune.data.label_merging import merge_labels
from provetune.data.labels import read_labels
from provetune.data.privacy import mask_column
from provetune.data.row_ids import row_ids
from provetune.data.table import ROW, RawTable
from provetune.data.texts import read_texts
from provetune.problem.syntax import Columns, Data

RAW_PREFIX = "raw."


def to_examples(raw: RawTable, data: Data, columns: Columns) -> pa.Table:
    """The rows as examples.

    Returns:
        A table with ``row_id`` (string), ``text`` (string; null where missing), ``text_pair`` (string; only
        where two text columns are named), ``label`` (string, or list of string where a row may have several;
        null where missing), ``_file`` (string), ``_row`` (int64) and every column of the file as ``raw.<name>``
        (string). Texts, and the raw columns they come from, are masked as `data.mask` says; ids are not changed
        by masking.

    Raises:
        DataError: no text column is named, or a cell cannot be used; names the row.
    """
    if not columns.text:
        raise DataError("No text column is named.", where=raw.location, hint="Name it with data.columns.text.")
    text, pair = read_texts(raw, columns.text)
    table: dict[str, pa.ChunkedArray] = {"row_id": row_ids(raw), "text": mask_column(text, data.mask)}
    if pair is not None:
        table["text_pair"] = mask_column(pair, data.mask)
    table["label"] = merge_labels(read_labels(raw, columns.label, data.label_separator), data.merge)
    file = pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), raw.rows), [raw.short_name])
    table["_file"] = pa.chunked_array([file.cast(pa.string())])
    table[ROW] = raw.table[ROW]
    table.update(_raw_columns(raw, data, columns))
    return pa.table(table)


def _raw_columns(raw: RawTable, data: Data, columns: Columns) -> Mapping[str, pa.ChunkedArray]:
    texts = [columns.text] if isinstance(columns.text, str) else columns.text or []
    return {
        f"{RAW_PREFIX}{name}": mask_column(raw.table[name], data.mask if name in texts else []) for name in raw.names
    }
