"""Delimited text, exactly: cell separator and quoting are found, nothing is repaired in silence.

Python's csv module does the reading (it is exact about quotes and fast enough: a million short rows take a
few seconds); rows go into Arrow in chunks.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from provetune.core.errors import DataError
from provetune.data.decimal_commas import with_points
from provetune.data.encodings import find_encoding
from provetune.data.header_lines import is_header, is_row
from provetune.data.table import CHUNK_ROWS, RawTable, ReadOptions, TableBuilder

_DELIMITERS = (",", "\t", ";", "|")
_NAMES = {",": "a comma", "\t": "a tab", ";": "a semicolon", "|": "a vertical bar"}
_SAMPLE_ROWS = 400
_SEMICOLON = ";"


@dataclass(frozen=True)
class _Dialect:
    delimiter: str
    quoted: bool
    backslash: bool = False

    def reader(self, lines: Iterator[str]) -> Any:
        if not self.quoted:
            return csv.reader(lines, delimiter=self.delimiter, quoting=csv.QUOTE_NONE, quotechar=None, strict=True)
        if self.backslash:
            return csv.reader(lines, delimiter=self.delimiter, escapechar="\\", doublequote=False, strict=True)
        return csv.reader(lines, delimiter=self.delimiter, strict=True)


class _Fault(Exception):
    """A line that does not fit the dialect it was read with."""

    def __init__(self, line: int, message: str, hint: str) -> None:
        super().__init__(message)
        self.line, self.message, self.hint = line, message, hint


class DelimitedReader:
    """Reads rows of cells below a header line; where the first line is certainly a row, there is none.

    Args:
        format: public name.
        extensions: file name endings.
        delimiter: the separator that wins when several fit.
    """

    prefix: str | None = None

    def __init__(self, format: str, extensions: tuple[str, ...], delimiter: str) -> None:
        self.format = format
        self.extensions = extensions
        self.delimiter = delimiter

    def claims(self, lines: Sequence[str]) -> bool:
        """Whether the first filled line names columns, and the others have as many cells."""
        filled = [line.split(self.delimiter) for line in lines if line.strip()]
        return len(filled) > 1 and is_header(filled[0]) and all(len(cells) == len(filled[0]) for cells in filled)

    def read(self, location: str, options: ReadOptions) -> RawTable:
        """Read a whole file.

        Raises:
            DataError: a row has too few or too many cells, a quote is never closed, the header is broken.
        """
        path = Path(location)
        encoding, encoding_note = find_encoding(path, options.encoding)
        notes = [encoding_note] if encoding_note else []
        with _long_cells():
            delimiter = options.delimiter or _find_delimiter(path, encoding, self.delimiter)
            try:
                named = options.header is not False
                table, quoting_note = _read_quoting(path, encoding, delimiter, self.format, named)
                if options.header is None and is_row(table.names, partial(_again, table)):
                    named = False
                    table, quoting_note = _read_quoting(path, encoding, delimiter, self.format, named)
            except _Fault as fault:
                raise DataError(fault.message, where=f"{path}, line {fault.line}", hint=fault.hint) from None
        if delimiter != self.delimiter:
            notes.append(f"Cells are separated by {_NAMES.get(delimiter, repr(delimiter))}.")
        if quoting_note:
            notes.append(quoting_note)
        notes += table.notes
        if delimiter == _SEMICOLON:
            table, said = with_points(table)
            notes += said
        if not named:
            notes.append(f"The first line is a row and no header: columns are called {', '.join(table.names)}.")
        elif options.header is None:
            notes += _header_doubt(table)
        return RawTable(table.table, location, self.format, tuple(notes), table.kinds, header=named)


@contextmanager
def _long_cells() -> Iterator[None]:
    """The csv module refuses cells over 128 KiB unless told otherwise; a long text is not an error here."""
    limit = csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def _find_delimiter(path: Path, encoding: str, preferred: str) -> str:
    """The separator that cuts header and first rows into the same number of cells, two at least."""
    scores = {}
    for delimiter in (preferred, *(other for other in _DELIMITERS if other != preferred)):
        dialect = _Dialect(delimiter, quoted=True)
        with path.open(encoding=encoding, newline="") as stream:
            try:
                rows = [row for row in islice(dialect.reader(iter(stream)), _SAMPLE_ROWS) if row]
            except csv.Error:
                rows = []
        if not rows:
            with path.open(encoding=encoding, newline="") as stream:
                lines = (line.rstrip("\r\n") for line in islice(stream, _SAMPLE_ROWS))
                rows = [line.split(delimiter) for line in lines if line]
        width = len(rows[0]) if rows else 0
        if width > 1:
            scores[delimiter] = sum(len(row) == width for row in rows) / len(rows)
    return max(scores, key=lambda delimiter: scores[delimiter]) if scores else preferred


def _read_quoting(path: Path, encoding: str, delimiter: str, format: str, named: bool) -> tuple[RawTable, str | None]:
    """Read with double quotes around cells; where that does not fit, with the two other customs."""
    plain = _Dialect(delimiter, quoted=False)
    try:
        table = _parse(path, encoding, _Dialect(delimiter, quoted=True), format, named)
    except _Fault as fault:
        if _has_escaped_quote(path, encoding, fault.line):
            backslash = _Dialect(delimiter, quoted=True, backslash=True)
            return _parse(path, encoding, backslash, format, named), "Quotes inside cells are marked by a backslash."
        try:
            table = _parse(path, encoding, plain, format, named)
        except _Fault:
            raise fault from None
        if delimiter != "\t" and _has_quoted_cells(table):
            raise
        return table, "Quotes are ordinary characters in this file."
    if delimiter == "\t" and _swallows_lines(table):
        try:
            # In a tab-separated file whose lines all have the same number of cells, a cell that would span
            # several of those lines comes from quotes that were never meant as such.
            return _parse(path, encoding, plain, format, named), "Quotes are ordinary characters in this file."
        except _Fault:
            return table, None
    return table, None


def _has_escaped_quote(path: Path, encoding: str, number: int) -> bool:
    with path.open(encoding=encoding, newline="") as stream:
        return any('\\"' in line for line in islice(stream, number - 1, number + 20))


def _has_quoted_cells(table: RawTable) -> bool:
    """Whether some cells stand in quotes, so that quotes are no ordinary characters after all."""
    return any(pc.any(pc.match_substring_regex(table.table[name], '^".*"$')).as_py() for name in table.names)


def _swallows_lines(table: RawTable) -> bool:
    return len(table.names) > 1 and any(
        pc.any(pc.match_substring_regex(table.table[name], "\n[^\n]*\t|\t[^\n]*\n")).as_py() for name in table.names
    )


def _parse(path: Path, encoding: str, dialect: _Dialect, format: str, named: bool) -> RawTable:
    """The rows; with `named`, those below a line that names their columns."""
    with path.open(encoding=encoding, newline="") as stream:
        reader = dialect.reader(iter(stream))
        rows = _numbered(reader)
        try:
            first = next(rows)
        except StopIteration:
            raise DataError("There is only blank space in this file.", where=str(path)) from None
        names = _column_names(path, first[1]) if named else [f"column_{k}" for k in range(1, len(first[1]) + 1)]
        rows = rows if named else chain([first], rows)
        builder = TableBuilder(str(path), names)
        while chunk := list(islice(rows, CHUNK_ROWS)):
            for line, row in chunk:
                if len(row) != len(names):
                    raise _ragged(line, row, names)
            columns = zip(*(row for _, row in chunk), strict=True)
            builder.add(dict(zip(names, columns, strict=True)), [line for line, _ in chunk])
        if builder.count == 0:
            raise DataError("There is a header but no row.", where=str(path), hint="Add rows below it.")
        return builder.finish(format)


def _numbered(reader: Any) -> Iterator[tuple[int, list[str]]]:
    """Rows with the line each starts on; blank lines are passed over."""
    line = 1
    try:
        for row in reader:
            if row:
                yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        if "unexpected end" in str(error):
            message = "A quote is opened here and never closed."
        else:
            message = "There is text after a closing quote."
        hint = 'Write a quote inside a quoted cell twice: "" for ".'
        raise _Fault(line, message, hint) from None


def _ragged(line: int, row: Sequence[str], names: Sequence[str]) -> _Fault:
    cells = "1 cell" if len(row) == 1 else f"{len(row)} cells"
    wanted = "1 column" if len(names) == 1 else f"{len(names)} columns"
    hint = (
        "Put a cell that contains the separator in double quotes."
        if len(row) > len(names)
        else "Fill in what is missing."
    )
    return _Fault(line, f"This row has {cells}, but the header has {wanted} ({', '.join(names[:6])}).", hint)


def _column_names(path: Path, header: Sequence[str]) -> list[str]:
    names = [name.strip() or f"unnamed_{number}" for number, name in enumerate(header, start=1)]
    for name in names:
        if names.count(name) > 1:
            raise DataError(
                f"Two columns are called '{name}'.",
                where=f"{path}, line 1",
                hint="Give every column its own name; where this line is a row and no header, say data.header: false.",
            )
    return names


def _again(table: RawTable, name: str) -> int:
    return int(pc.sum(pc.equal(table.table[name], name)).as_py() or 0)


def _header_doubt(table: RawTable) -> list[str]:
    """A first row whose cells come back as values below is probably a row, not a header."""
    for name in table.names:
        again = _again(table, name)
        if again > 1:
            doubt = f"The header's '{name}' also stands in {again} rows: has this file no header line?"
            return [f"{doubt} Then say data.header: false, or --no-header to init."]
    return []
