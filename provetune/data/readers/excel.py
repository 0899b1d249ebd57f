"""The first sheet of an Excel workbook (.xlsx); needs the extra ``provetune[excel]``."""

from __future__ import annotations

import datetime
import zipfile
from itertools import islice
from pathlib import Path
from typing import Any

from provetune.core.errors import DataError, EnvironmentFault
from provetune.data.table import CHUNK_ROWS, RawTable, ReadOptions, TableBuilder


class ExcelReader:
    """Reads cell values, not formulas; `_row` is the sheet's own row number."""

    extensions: tuple[str, ...] = (".xlsx",)
    prefix: str | None = None

    def read(self, location: str, options: ReadOptions) -> RawTable:
        """Read the first sheet.

        Raises:
            EnvironmentFault: openpyxl is not installed.
            DataError: no workbook, no header, no row, two columns of one name.
        """
        try:
            import openpyxl
            from openpyxl.utils.exceptions import InvalidFileException
        except ImportError:
            raise EnvironmentFault(
                "Reading Excel files needs openpyxl.",
                where=location,
                hint="pip install 'provetune[excel]', or save the sheet as CSV.",
            ) from None
        try:
            with Path(location).open("rb") as stream:
                book = openpyxl.load_workbook(stream, read_only=True, data_only=True)
                sheet = book.worksheets[0]
                return _read_sheet(sheet, location, [name for name in book.sheetnames if name != sheet.title])
        except (zipfile.BadZipFile, InvalidFileException, KeyError) as error:
            raise DataError("This is no Excel workbook.", where=location, hint="Save it again as .xlsx.") from error


def _read_sheet(sheet: Any, location: str, others: list[str]) -> RawTable:
    rows = enumerate(sheet.iter_rows(values_only=True), start=1)
    filled = ((number, row) for number, row in rows if any(cell is not None for cell in row))
    try:
        _, header = next(filled)
    except StopIteration:
        raise DataError("The first sheet is empty.", where=location) from None
    names = [str(cell).strip() if cell is not None else f"unnamed_{n}" for n, cell in enumerate(header, start=1)]
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"Two columns are called '{name}'.", where=location, hint="Give each its own name.")
    builder = TableBuilder(location, names)
    while chunk := list(islice(filled, CHUNK_ROWS)):
        columns = zip(*([_plain(cell) for cell in row[: len(names)]] for _, row in chunk), strict=True)
        builder.add(dict(zip(names, columns, strict=True)), [number for number, _ in chunk])
    if builder.count == 0:
        raise DataError("There is a header but no row.", where=location, hint="Add rows below it.")
    notes = [f"Only the first sheet was read; there are also {', '.join(others)}."] if others else []
    return builder.finish("excel", notes)


def _plain(cell: Any) -> Any:
    if isinstance(cell, datetime.datetime | datetime.date | datetime.time):
        return cell.isoformat()
    # Excel has no integers: 3 is stored as 3.0.
    return int(cell) if isinstance(cell, float) and cell.is_integer() else cell


READER = ExcelReader()
