"""Parquet files. Structs become dotted columns; numbers, booleans and lists are remembered as such."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
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
        return from_arrow(table, location, "parquet")


READER = ParquetReader()
