"""Text cells into texts: one column as it is, two as a pair, more joined. Nothing is normalised."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from provetune.core.errors import DataError
from provetune.data.labels import MISSING_WORDS
from provetune.data.table import ROW, Kind, RawTable

SEPARATOR = " | "
_WORDS = {
    Kind.NUMBER: "a number",
    Kind.BOOLEAN: "true or false",
    Kind.LIST: "a list",
    Kind.OBJECT: "an object",
}


def read_texts(raw: RawTable, columns: str | Sequence[str]) -> tuple[pa.ChunkedArray, pa.ChunkedArray | None]:
    """The text of every row and, where two columns are named, the second text of the pair.

    A missing cell (nothing, or NaN) is null. Of a pair with one half missing that half is empty; with both
    missing both are null. In a join missing parts are left out.

    Raises:
        DataError: a cell holds a number, a list or anything else that is no text.
    """
    names = [columns] if isinstance(columns, str) else list(columns)
    parts = [_plain_texts(raw, name) for name in names]
    if len(parts) == 1:
        return parts[0], None
    if len(parts) == 2:
        first, second = parts
        neither = pc.and_(first.is_null(), second.is_null())
        none = pa.scalar(None, pa.string())
        return (
            pc.if_else(neither, none, pc.fill_null(first, "")),
            pc.if_else(neither, none, pc.fill_null(second, "")),
        )
    return reduce(_join, parts), None


def _join(first: pa.ChunkedArray, second: pa.ChunkedArray) -> pa.ChunkedArray:
    # Arrow's own skipping of nulls loses rows in which all parts are null (seen with pyarrow 26).
    return pc.coalesce(pc.binary_join_element_wise(first, second, SEPARATOR), first, second)


def _plain_texts(raw: RawTable, name: str) -> pa.ChunkedArray:
    _refuse_others(raw, name)
    cells = raw.table[name]
    absent = pc.is_in(cells, pa.array(MISSING_WORDS))
    return pc.if_else(absent, pa.scalar(None, pa.string()), cells) if pc.any(absent).as_py() else cells


def _refuse_others(raw: RawTable, name: str) -> None:
    if name not in raw.kinds:
        return
    kinds = raw.kind_of(name)
    wrong = np.flatnonzero(kinds > Kind.MISSING)
    if not len(wrong):
        return
    number = int(wrong[0])
    what = _WORDS[Kind(int(kinds[number]))]
    cell = (raw.table[name][number].as_py() or "")[:40]
    others = f" {len(wrong)} rows hold something else than text." if len(wrong) > 1 else ""
    raise DataError(
        f"Column '{name}' holds {what} where text is wanted: {cell}.{others}",
        where=f"{raw.location}, row {raw.table[ROW][number].as_py()}",
        hint="Write it as text in quotes, or name another column with data.columns.text.",
    )
