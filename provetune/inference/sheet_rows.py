"""The rows of an Excel sheet one after another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from provetune.data.table import as_texts


class SheetSource:
    """The first sheet of a workbook, its cells as texts.

    Rows are read one by one. What openpyxl holds on to meanwhile is the workbook's table of distinct texts and some 150
    bytes for each row that was read: a sheet can have 1,048,576.
    """

    repeatable = True

    def __init__(self, path: Path) -> None:
        from provetune.data.readers.excel import open_sheet

        self.path = path
        with open_sheet(str(path)) as sheet:
            self.names = tuple(sheet.names)

    def rows(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        from provetune.data.readers.excel import open_sheet

        with open_sheet(str(self.path)) as sheet:
            for number, cells in sheet.rows:
                yield f"{self.path}, row {number}", dict(zip(self.names, as_texts(cells)[0], strict=True))
