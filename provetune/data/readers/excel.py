"""The first sheet of an Excel workbook (.xlsx); needs the extra ``provetune[excel]``."""

from __future__ import annotations

import datetime
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
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
        with open_sheet(location) as sheet:
            builder = TableBuilder(location, sheet.names)
            while chunk := list(islice(sheet.rows, CHUNK_ROWS)):
                columns = zip(*(cells for _, cells in chunk), strict=True)
                builder.add(dict(zip(sheet.names, columns, strict=True)), [number for number, _ in chunk])
        if builder.count == 0:
            raise DataError("There is a header but no row.", where=location, hint="Add rows below it.")
        others = ", ".join(sheet.others)
        return builder.finish("excel", [f"Only the first sheet was read; there are also {others}."] if others else [])


@dataclass(frozen=True)
class Sheet:
    """An open sheet.

    Attributes:
        names: the header.
        rows: the rows below it that hold something: the sheet's own number, and a cell for each name.
        others: names of the workbook's other sheets.
    """

    names: list[str]
    rows: Iterator[tuple[int, list[Any]]]
    others: list[str]


@contextmanager
def open_sheet(location: str) -> Iterator[Sheet]:
    """The first sheet of a workbook, its rows read one by one inside the ``with`` block.

    Raises:
        EnvironmentFault: openpyxl is not installed.
        DataError: no workbook, no header, two columns of one name.
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
    with Path(location).open("rb") as stream:
        try:
            book = openpyxl.load_workbook(stream, read_only=True, data_only=True)
            sheet = book.worksheets[0]
            rows = enumerate(sheet.iter_rows(values_only=True), start=1)
            filled = ((number, row) for number, row in rows if any(cell is not None for cell in row))
            _, header = next(filled, (0, None))
        except (zipfile.BadZipFile, InvalidFileException, KeyError) as error:
            raise DataError("This is no Excel workbook.", where=location, hint="Save it again as .xlsx.") from error
        if header is None:
            raise DataError("The first sheet is empty.", where=location)
        names = _names(header, location)
        cells = ((number, _fit(row, len(names))) for number, row in filled)
        yield Sheet(names, cells, [name for name in book.sheetnames if name != sheet.title])


def _names(header: Sequence[Any], location: str) -> list[str]:
    names = [str(cell).strip() if cell is not None else f"unnamed_{n}" for n, cell in enumerate(header, start=1)]
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"Two columns are called '{name}'.", where=location, hint="Give each its own name.")
    return names


def _fit(row: Sequence[Any], width: int) -> list[Any]:
    """The cells below the header: a row may end early, or go on beyond it."""
    cells = [_plain(cell) for cell in row[:width]]
    return cells + [None] * (width - len(cells))


def _plain(cell: Any) -> Any:
    if isinstance(cell, datetime.datetime | datetime.date | datetime.time):
        return cell.isoformat()
    # Excel has no integers: 3 is stored as 3.0.
    return int(cell) if isinstance(cell, float) and cell.is_integer() else cell


READER = ExcelReader()
