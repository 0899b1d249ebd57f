"""Numbers with a decimal comma, as spreadsheets of much of Europe write them into files whose cells a semicolon parts.

Several labels in a cell (``3,7``) look alike: a column is taken for numbers where each filled cell is one, at least
half of them have a comma, and some fraction has more than one digit or every cell has one.
"""

from __future__ import annotations

import re
from dataclasses import replace

from provetune.data.table import RawTable

_NUMBER = re.compile(r"\s*[+-]?\d+(?:,(?P<fraction>\d+))?\s*")
_LEAST_SHARE = 0.5
_LEAST_ROWS = 5


def with_points(raw: RawTable) -> tuple[RawTable, list[str]]:
    """The table with points for commas in columns of such numbers, and a sentence that says so."""
    import pyarrow.compute as pc

    names = [name for name in raw.names if _has_commas(raw.table[name].to_pylist())]
    if not names:
        return raw, []
    table = raw.table
    for name in names:
        place = table.column_names.index(name)
        table = table.set_column(place, name, pc.replace_substring(table[name], ",", "."))
    shown = ", ".join(f"'{name}'" for name in names)
    return replace(raw, table=table), [f"Numbers in {shown} have a decimal comma, which is read as a point."]


def _has_commas(cells: list[str | None]) -> bool:
    fractions: list[str] = []
    count = 0
    for cell in cells:
        if cell is None or not cell.strip():
            continue
        match = _NUMBER.fullmatch(cell)
        if match is None:
            return False
        count += 1
        if match["fraction"] is not None:
            fractions.append(match["fraction"])
    if count < _LEAST_ROWS or len(fractions) < _LEAST_SHARE * count:
        return False
    return len(fractions) == count or any(len(each) > 1 for each in fractions)
