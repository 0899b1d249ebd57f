"""Parquet files. Structs become dotted columns; numbers, booleans and lists are remembered as such."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from provetune.core.errors import DataError
from provetune.data.readers._typed import from_arrow
from provetune.data.table import RawTable, ReadOptions


class ParquetReader:
    """Reads with Arrow."""

    extensions: tuple[str, ...] = (".parquet", ".pq")
    prefix: str | None = None

    def read(self, location: str, options: ReadOptions) -> RawTable:
        """Read a whole file.

        Raises:
            DataError: the file is damaged or is no Parquet file.
        """
        try:
            with Path(location).open("rb") as stream:
                table = pq.ParquetFile(stream).read()
        except (pa.ArrowException, OSError) as error:
            raise DataError(
                f"This cannot be read as Parquet: {str(error).splitlines()[0]}",
                where=location,
                hint="Is the file complete?",
            ) from error
        if table.num_rows == 0:
            raise DataError("There is no row in this file.", where=location)
        names = _label_names(table)
        shown = ", ".join(f"'{name}'" for name in names)
        notes = (f"The names of the label numbers in {shown} are from the file's own description.",) if names else ()
        return from_arrow(table, location, "parquet", notes, names)


def _label_names(table: pa.Table) -> dict[str, list[str]]:
    """Names of the label numbers by column, as the datasets library describes them in the files that it writes."""
    try:
        features = json.loads((table.schema.metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
    except (ValueError, KeyError, TypeError):
        return {}
    found = {}
    for name, feature in features.items() if isinstance(features, dict) else ():
        inner = feature.get("feature", feature) if isinstance(feature, dict) else None
        names = inner.get("names") if isinstance(inner, dict) and inner.get("_type") == "ClassLabel" else None
        if isinstance(names, list) and name in table.column_names and _are_numbers_of(table[name], len(names)):
            found[name] = [str(one) for one in names]
    return found


def _are_numbers_of(column: pa.ChunkedArray, count: int) -> bool:
    flat = pc.list_flatten(column) if pa.types.is_list(column.type) or pa.types.is_large_list(column.type) else column
    if not pa.types.is_integer(flat.type):
        return False
    greatest = pc.max(flat).as_py()
    return greatest is None or greatest < count


READER = ParquetReader()
