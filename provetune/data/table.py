"""A file's rows as they were read: string columns in Arrow, each row with its place in the file.

Every value is kept as text. What was not text in the file (a number, a list, nothing) is remembered beside
the column, so that a later step can say "row 17 holds a list" instead of learning from its brackets.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from provetune.core.errors import DataError

ROW = "_row"
RESERVED = frozenset({ROW, "_file"})
CHUNK_ROWS = 32_768
MOST_COLUMNS = 2_000


class Kind(IntEnum):
    """What a cell was in the file."""

    TEXT = 0
    MISSING = 1
    NUMBER = 2
    BOOLEAN = 3
    LIST = 4
    OBJECT = 5


@dataclass(frozen=True)
class ReadOptions:
    """What a person may say about a file; None means: detect it and say so."""

    encoding: str | None = None
    delimiter: str | None = None
    header: bool | None = None


@dataclass(frozen=True)
class RawTable:
    """The rows of one file.

    Attributes:
        table: one string column for each column of the file, and ``_row`` (int64): the line on which a row
            starts in a text file (the header is line 1), the record's number from 1 in others.
        location: the path or hub name, as given.
        format: public name of the reader.
        notes: what was detected (encoding, delimiter, …), one sentence each.
        kinds: for columns that hold something else than text, the `Kind` of each cell (uint8).
        header: False where the file has cells and no line that names their columns.
    """

    table: pa.Table
    location: str
    format: str
    notes: tuple[str, ...] = ()
    kinds: Mapping[str, pa.ChunkedArray] = field(default_factory=dict)
    header: bool = True

    @property
    def names(self) -> list[str]:
        """The file's own column names, in its order."""
        return [name for name in self.table.column_names if name != ROW]

    @property
    def rows(self) -> int:
        return int(self.table.num_rows)

    @property
    def short_name(self) -> str:
        """The file's name without its folder, for messages; a hub name stays whole."""
        return self.location if self.location.startswith("hub:") else Path(self.location).name

    def kind_of(self, name: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """The `Kind` of each cell of a column, (N,)."""
        if name in self.kinds:
            return np.asarray(self.kinds[name].to_numpy(), dtype=np.uint8)
        missing = self.table[name].is_null().to_numpy()
        return np.where(missing, np.uint8(Kind.MISSING), np.uint8(Kind.TEXT)).astype(np.uint8)


class Reader(Protocol):
    """A file format, or a place where rows come from.

    A reader may also have ``claims(lines) -> bool``: whether a file of an ending that says little (``.txt``,
    ``.train``) is of its format, told by the file's first lines.

    Attributes:
        extensions: lower-case file name endings it reads, with the dot.
        prefix: start of the locations it reads where they are no files, e.g. ``"hub:"``.
    """

    extensions: tuple[str, ...]
    prefix: str | None

    def read(self, location: str, options: ReadOptions) -> RawTable:
        """Read all rows.

        Raises:
            DataError: the content is not what the format promises; names the line.
        """


class TableBuilder:
    """Collects rows chunk by chunk into string columns, so that few Python objects live at a time.

    Rows may have different keys: a column that appears late is filled with missing cells before.
    """

    def __init__(self, location: str, names: Sequence[str] = ()) -> None:
        self.location = location
        self.count = 0
        self._chunks: dict[str, list[pa.Array]] = {}
        self._kinds: dict[str, list[pa.Array]] = {}
        self._places: list[pa.Array] = []
        for name in names:
            self._add_column(name)

    def add(self, columns: Mapping[str, Sequence[Any]], places: Sequence[int]) -> None:
        """Add a chunk: for each column as many values as there are `places`."""
        size = len(places)
        for name, values in columns.items():
            if name not in self._chunks:
                self._add_column(name)
            texts, kinds = as_texts(values)
            self._chunks[name].append(self._strings(name, texts, places))
            self._kinds[name].append(kinds)
        for name in self._chunks.keys() - columns.keys():
            self._append_missing(name, size)
        self._places.append(pa.array(places, pa.int64()))
        self.count += size

    def finish(self, format: str, notes: Sequence[str] = ()) -> RawTable:
        """The rows added so far."""
        arrays = {name: pa.chunked_array(chunks, pa.string()) for name, chunks in self._chunks.items()}
        arrays[ROW] = pa.chunked_array(self._places, pa.int64())
        kinds: dict[str, pa.ChunkedArray] = {}
        for name, chunks in self._kinds.items():
            if any(chunk is not None for chunk in chunks):
                pairs = zip(chunks, self._chunks[name], strict=True)
                kinds[name] = pa.chunked_array([_plain_kinds(text) if kind is None else kind for kind, text in pairs])
        return RawTable(pa.table(arrays), self.location, format, tuple(notes), kinds)

    def _add_column(self, name: str) -> None:
        if name in RESERVED:
            raise DataError(f"The column name '{name}' is reserved.", where=self.location, hint="Rename the column.")
        if len(self._chunks) >= MOST_COLUMNS:
            raise DataError(
                f"More than {MOST_COLUMNS} columns.", where=self.location, hint="Are the rows' keys values by mistake?"
            )
        self._chunks[name] = []
        self._kinds[name] = []
        if self.count:
            self._append_missing(name, self.count)

    def _append_missing(self, name: str, size: int) -> None:
        self._chunks[name].append(pa.nulls(size, pa.string()))
        self._kinds[name].append(None)

    def _strings(self, name: str, texts: Sequence[str | None], places: Sequence[int]) -> pa.Array:
        try:
            return pa.array(texts, pa.string())
        except UnicodeEncodeError:
            for text, place in zip(texts, places, strict=True):
                if text is not None and any("\ud800" <= letter <= "\udfff" for letter in text):
                    raise DataError(
                        f"Column '{name}' holds half a character (a lone surrogate such as \\ud83d).",
                        where=f"{self.location}, row {place}",
                        hint="The text was cut inside an emoji; remove the escape.",
                    ) from None
            raise


def as_texts(values: Sequence[Any]) -> tuple[Sequence[str | None], pa.Array | None]:
    """Values of any JSON type as texts, and their kinds (None when all are texts or missing).

    Numbers and booleans become their JSON text, lists and objects JSON without spaces; NaN is missing.
    """
    if set(map(type, values)) <= {str, type(None)}:
        return values, None
    texts: list[str | None] = []
    kinds: list[int] = []
    for value in values:
        text, kind = _as_text(value)
        texts.append(text)
        kinds.append(kind)
    return texts, pa.array(kinds, pa.uint8())


def flatten(record: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested objects as dotted columns: ``{"a": {"b": 1}}`` → ``{"a.b": 1}``. Lists stay as they are."""
    flat: dict[str, Any] = {}
    for key, value in record.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            flat.update(flatten(value, f"{name}."))
        else:
            flat[name] = value
    return flat


def _as_text(value: Any) -> tuple[str | None, Kind]:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None, Kind.MISSING
    if isinstance(value, str):
        return value, Kind.TEXT
    if isinstance(value, bool):
        return ("true" if value else "false"), Kind.BOOLEAN
    if isinstance(value, int | float):
        return repr(value), Kind.NUMBER
    if isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str), Kind.OBJECT
    if isinstance(value, list | tuple):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str), Kind.LIST
    return str(value), Kind.TEXT


def _plain_kinds(texts: pa.Array) -> pa.Array:
    return texts.is_null().cast(pa.uint8())
