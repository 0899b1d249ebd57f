"""Cells with dates or times as numbers that sort."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from provetune.core.errors import DataError

_FORMATS = (
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%Y%m%d",
    "%Y年%m月%d日",
    "%d.%m.%Y",
    "%d.%m.%Y %H:%M",
)
_AMBIGUOUS = ("%d/%m/%Y", "%m/%d/%Y")


def parse_times(
    cells: pa.ChunkedArray, column: str, place: Callable[[int], str]
) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Times of all cells as numbers with one unit and one zero, (N,): the later, the greater.

    Args:
        column: its name, for the error.
        place: where the i-th cell stands, for the error.

    Raises:
        DataError: a cell is empty, no one format fits all, or day and month cannot be told apart.
    """
    cells = pc.utf8_trim_whitespace(cells)
    empty = pc.fill_null(pc.equal(cells, ""), True)
    if pc.any(empty).as_py():
        number = int(np.argmax(empty.to_numpy()))
        raise DataError(
            f"Column '{column}' is empty here, so the row has no place in time.",
            where=place(number),
            hint="Fill it in, or split without data.split.time.",
        )
    formats = ("iso", "number", *_FORMATS)
    for format in formats:
        parsed = _parse(cells, format)
        if parsed is not None:
            return parsed
    fitting = [parsed for format in _AMBIGUOUS if (parsed := _parse(cells, format)) is not None]
    if len(fitting) == 1:
        return fitting[0]
    if len(fitting) == 2:
        raise DataError(
            f"In column '{column}' day and month cannot be told apart, e.g. '{cells[0].as_py()}'.",
            where=place(0),
            hint="Write dates as 2026-01-31.",
        )
    raise _unreadable(cells, column, place)


def _parse(cells: pa.ChunkedArray, format: str) -> np.ndarray[Any, np.dtype[np.int64]] | None:
    try:
        if format == "number":
            numbers = cells.cast(pa.float64()).to_numpy()
            # A year, a day number or seconds since 1970, whole or not: a millionth is fine enough to sort by.
            return (numbers * 1_000_000).astype(np.int64) if np.isfinite(numbers).all() else None
        if format == "iso":
            stamps = _iso_times(cells)
        else:
            stamps = pc.strptime(cells, format=format, unit="us")
    except pa.ArrowInvalid:
        return None
    found: np.ndarray[Any, np.dtype[np.int64]] = stamps.cast(pa.int64()).to_numpy()
    return found


def _iso_times(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    try:
        return cells.cast(pa.timestamp("us"))
    except pa.ArrowInvalid:
        return cells.cast(pa.timestamp("us", "UTC"))


def _unreadable(cells: pa.ChunkedArray, column: str, place: Callable[[int], str]) -> DataError:
    """Names the first cell that does not fit the format of the first cell."""
    first = cells.slice(0, 1)
    format = next(
        (known for known in ("iso", "number", *_FORMATS, *_AMBIGUOUS) if _parse(first, known) is not None), None
    )
    number = 0
    if format is not None:
        number = next(i for i in range(len(cells)) if _parse(cells.slice(i, 1), format) is None)
    return DataError(
        f"Column '{column}' holds '{cells[number].as_py()[:40]}', which is no date or time like the others.",
        where=place(number),
        hint="Write times as 2026-01-31 or 2026-01-31 23:59:59.",
    )
