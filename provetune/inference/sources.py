"""Rows of a file one after another, never all at once: csv, tsv, json, jsonl, parquet, xlsx, txt, or stdin."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, Literal, Protocol, TypeAlias

from provetune.core.errors import DataError
from provetune.core.suggest import nearest
from provetune.data.header_lines import is_row

STANDARD = "-"
_LONGEST_CELL = 2**31 - 1
_DELIMITERS = (",", "\t", ";", "|")
_PARQUET_ROWS = 1024
_LOOKED_AT = 400

Row: TypeAlias = Mapping[str, Any]


class Source(Protocol):
    """Rows to be answered.

    Attributes:
        names: the columns, in order, where they are known before the first row.
        repeatable: whether the rows can be read a second time.
    """

    names: tuple[str, ...]
    repeatable: bool

    def rows(self) -> Iterator[tuple[str, Row]]:
        """Each row with its place, in words."""


def open_source(location: str | Path) -> Source:
    """The rows at a place.

    Args:
        location: a path, or ``"-"`` for lines of the standard input.

    Raises:
        DataError: there is no such file, it is empty, or it is not what its name says.
    """
    if str(location) == STANDARD:
        return LinesSource(sys.stdin)
    path = Path(location).expanduser()
    _refuse_absent(path)
    ending = path.suffix.lower()
    if ending in (".csv", ".tsv", ".tab"):
        return DelimitedSource(path, "," if ending == ".csv" else "\t")
    if ending in (".jsonl", ".ndjson"):
        return JsonLinesSource(path)
    if ending == ".parquet":
        return ParquetSource(path)
    if ending == ".txt":
        return TextSource(path)
    if ending == ".json":
        from provetune.inference.json_rows import JsonSource

        return JsonSource(path)
    if ending == ".xlsx":
        from provetune.inference.sheet_rows import SheetSource

        return SheetSource(path)
    return WholeSource(path)


class DelimitedSource:
    """A csv or tsv file with a header line; separator, quoting and encoding are found as in training files."""

    repeatable = True

    def __init__(self, path: Path, delimiter: str) -> None:
        from provetune.data.encodings import find_encoding

        csv.field_size_limit(min(sys.maxsize, _LONGEST_CELL))
        self.path = path
        self.encoding = find_encoding(path)[0]
        self.delimiter = self._find_delimiter(delimiter)
        self.quoting: Literal[0, 3] = csv.QUOTE_MINIMAL
        self.quoting = self._find_quoting()
        header = next(self._cells(), None)
        if header is None:
            raise DataError("There is only blank space in this file.", where=str(path))
        self.header = not is_row(header[1], self._again(header[1]))
        if not self.header:
            self.names = tuple(f"column_{k}" for k in range(1, len(header[1]) + 1))
            return
        self.names = tuple(name.strip() for name in header[1])
        for name in self.names:
            if self.names.count(name) > 1:
                raise DataError(f"Two columns are called '{name}'.", where=f"{path}, line 1")

    def rows(self) -> Iterator[tuple[str, Row]]:
        cells = self._cells()
        if self.header:
            next(cells, None)
        for line, row in cells:
            place = f"{self.path}, line {line}"
            if len(row) != len(self.names):
                raise DataError(
                    f"This row has {len(row)} cells, but the header has {len(self.names)} columns.",
                    where=place,
                    hint="Put a cell that contains the separator in double quotes.",
                )
            yield place, dict(zip(self.names, row, strict=True))

    def _cells(self) -> Iterator[tuple[int, list[str]]]:
        with self.path.open(encoding=self.encoding, newline="") as stream:
            reader = csv.reader(stream, delimiter=self.delimiter, quoting=self.quoting, strict=True)
            line = 1
            try:
                for row in reader:
                    if row:
                        yield line, row
                    line = reader.line_num + 1
            except csv.Error as error:
                hint = 'Write a quote inside a quoted cell twice: "" for ".'
                raise DataError(
                    f"The quotes do not match ({error}).", where=f"{self.path}, line {line}", hint=hint
                ) from None

    def _again(self, first: list[str]) -> Callable[[str], int]:
        """In how many of the next rows a cell of the first one stands in its column."""
        below = [row for _, row in islice(self._cells(), 1, _LOOKED_AT)]
        return lambda cell: sum(row[first.index(cell)] == cell for row in below if len(row) == len(first))

    def _find_delimiter(self, preferred: str) -> str:
        with self.path.open(encoding=self.encoding, newline="") as stream:
            header = next((line for line in stream if line.strip()), "")
        if preferred in header:
            return preferred
        return max(_DELIMITERS, key=header.count) if any(mark in header for mark in _DELIMITERS) else preferred

    def _find_quoting(self) -> Literal[0, 3]:
        """Ordinary quoting, unless the file breaks its rules and has rows of one width without it."""
        self.quoting = csv.QUOTE_MINIMAL
        if self._is_even():
            return csv.QUOTE_MINIMAL
        self.quoting = csv.QUOTE_NONE
        return csv.QUOTE_NONE if self._is_even() else csv.QUOTE_MINIMAL

    def _is_even(self) -> bool:
        width = None
        try:
            for _, row in self._cells():
                width = len(row) if width is None else width
                if len(row) != width:
                    return False
        except DataError:
            return False
        return True


class JsonLinesSource:
    """A file with one JSON object a line."""

    repeatable = True
    names: tuple[str, ...] = ()

    def __init__(self, path: Path) -> None:
        from provetune.data.encodings import find_encoding

        self.path, self.encoding = path, find_encoding(path)[0]

    def rows(self) -> Iterator[tuple[str, Row]]:
        with self.path.open(encoding=self.encoding) as stream:
            yield from _parse_objects(stream, str(self.path))


class ParquetSource:
    """A parquet file, read in batches."""

    repeatable = True

    def __init__(self, path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.path = path
        try:
            self.names = tuple(pq.ParquetFile(path).schema_arrow.names)
        except pa.ArrowInvalid as error:
            raise DataError("This is no parquet file, or it is damaged.", where=str(path)) from error

    def rows(self) -> Iterator[tuple[str, Row]]:
        import pyarrow.parquet as pq

        number = 0
        for batch in pq.ParquetFile(self.path).iter_batches(batch_size=_PARQUET_ROWS):
            for row in batch.to_pylist():
                number += 1
                yield f"{self.path}, row {number}", row


class TextSource:
    """A plain text file: a text a line, in a column called ``text``."""

    repeatable = True
    names: tuple[str, ...] = ("text",)

    def __init__(self, path: Path) -> None:
        from provetune.data.encodings import find_encoding

        self.path, self.encoding = path, find_encoding(path)[0]

    def rows(self) -> Iterator[tuple[str, Row]]:
        with self.path.open(encoding=self.encoding) as stream:
            for number, line in enumerate(stream, start=1):
                yield f"{self.path}, line {number}", {"text": line.rstrip("\r\n")}


class LinesSource:
    """Lines of an open stream: texts, or JSON objects where the first line is one."""

    repeatable = False

    def __init__(self, stream: IO[str], name: str = "standard input") -> None:
        self.name = name
        lines = iter(stream)
        self._first = next(lines, None)
        self._rest = lines
        self._objects = self._first is not None and _is_object(self._first)
        self.names: tuple[str, ...] = () if self._objects else ("text",)

    def rows(self) -> Iterator[tuple[str, Row]]:
        lines = chain([] if self._first is None else [self._first], self._rest)
        if self._objects:
            yield from _parse_objects(lines, self.name)
            return
        for number, line in enumerate(lines, start=1):
            yield f"{self.name}, line {number}", {"text": line.rstrip("\r\n")}


class WholeSource:
    """Any other format that training reads, of a plug-in say: read whole, since a reader gives all rows at once."""

    repeatable = True

    def __init__(self, path: Path) -> None:
        from provetune.data.reading import read_table

        self._raw = read_table(str(path))
        self.names = tuple(self._raw.names)

    def rows(self) -> Iterator[tuple[str, Row]]:
        from provetune.data.table import Kind

        kinds = {name: self._raw.kind_of(name).tolist() for name in self._raw.kinds}
        at = 0
        for batch in self._raw.table.to_batches(max_chunksize=_PARQUET_ROWS):
            for row in batch.to_pylist():
                # What was no text in the file is none here either.
                for name, of in kinds.items():
                    if of[at] not in (Kind.TEXT, Kind.MISSING):
                        row[name] = json.loads(row[name])
                at += 1
                yield f"{self._raw.location}, row {row.pop('_row')}", row


def _parse_objects(lines: Iterator[str] | IO[str], name: str) -> Iterator[tuple[str, Row]]:
    from provetune.data.readers._squad import flat_questions

    for number, row in flat_questions(_objects(lines, name), name, "line"):
        yield f"{name}, line {number}", row


def _objects(lines: Iterator[str] | IO[str], name: str) -> Iterator[tuple[int, Row]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        place = f"{name}, line {number}"
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(f"This is not JSON ({error.msg}).", where=place) from None
        if not isinstance(row, dict):
            raise DataError("This line is no JSON object.", where=place, hint='Write {"text": "…"} a line.')
        yield number, row


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except json.JSONDecodeError:
        return False


def _refuse_absent(path: Path) -> None:
    if path.is_dir():
        raise DataError("This is a folder, not a file.", where=str(path), hint="Name one file in it.")
    if not path.exists():
        siblings = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        guess = nearest(path.name, siblings)
        raise DataError("There is no such file.", where=str(path), hint=f"Did you mean '{guess}'?" if guess else None)
    if path.stat().st_size == 0:
        raise DataError("This file is empty.", where=str(path))
