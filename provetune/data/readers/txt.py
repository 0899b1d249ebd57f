"""Plain text: a line a row, cells apart by tabs, no header: how collections of sentence pairs are published."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from provetune.core.errors import DataError
from provetune.data.encodings import find_encoding, first_lines
from provetune.data.table import CHUNK_ROWS, RawTable, ReadOptions, TableBuilder

TEXT = "text"
_BETWEEN_TEXTS = (" ||| ", "|||", "||")
_BEFORE_LABELS = "@"
_LEAST_REPEAT = 4


class TextReader:
    """Reads ``text`` from lines, or ``text_1``, ``text_2``, … from lines with tabs; blank lines are passed over."""

    extensions: tuple[str, ...] = (".txt",)
    prefix: str | None = None

    def read(self, location: str, options: ReadOptions) -> RawTable:
        """Read a whole file.

        Raises:
            DataError: a line has more or fewer cells than the first one, or there is no line.
        """
        path = Path(location)
        encoding, note = find_encoding(path, options.encoding)
        delimiter = options.delimiter or _find_delimiter(first_lines(path, options.encoding))
        names: list[str] = []
        builder: TableBuilder | None = None
        with path.open(encoding=encoding, newline=None) as stream:
            lines = ((number, line.rstrip("\n")) for number, line in enumerate(stream, start=1))
            filled = ((number, line.split(delimiter)) for number, line in lines if line.strip())
            while chunk := list(islice(filled, CHUNK_ROWS)):
                if builder is None:
                    width = len(chunk[0][1])
                    names = [TEXT] if width == 1 else [f"{TEXT}_{place}" for place in range(1, width + 1)]
                    builder = TableBuilder(str(path), names)
                _refuse_ragged(path, chunk, len(names))
                columns = zip(*(cells for _, cells in chunk), strict=True)
                builder.add(dict(zip(names, columns, strict=True)), [number for number, _ in chunk])
        if builder is None:
            raise DataError("There is only blank space in this file.", where=str(path))
        parted = "" if delimiter == "\t" or len(names) == 1 else f" Cells are parted by '{delimiter.strip()}'."
        notes = [*([note] if note else []), f"A line a row, no header: columns are called {', '.join(names)}.{parted}"]
        table = builder.finish("txt")
        return RawTable(table.table, location, "txt", tuple(notes), table.kinds)


def _find_delimiter(lines: list[str]) -> str:
    """A tab; without any, a sign that stands equally often in every line, and once before a value that comes back.

    ``@`` parts texts and opinions in the Financial PhraseBank, ``|||`` sentences and their translations.
    """
    filled = [line for line in lines if line.strip()]
    if any("\t" in line for line in filled):
        return "\t"
    for sign in _BETWEEN_TEXTS:
        if {line.count(sign) for line in filled} == {1}:
            return sign
    ends = [line.rsplit(_BEFORE_LABELS, 1)[-1] for line in filled]
    once = {line.count(_BEFORE_LABELS) for line in filled} == {1}
    return _BEFORE_LABELS if once and len(ends) >= _LEAST_REPEAT * len(set(ends)) else "\t"


def _refuse_ragged(path: Path, chunk: list[tuple[int, list[str]]], width: int) -> None:
    for number, cells in chunk:
        if len(cells) != width:
            has = "1 cell" if len(cells) == 1 else f"{len(cells)} cells"
            raise DataError(
                f"This line has {has}, the first one has {width}.",
                where=f"{path}, line {number}",
                hint="Write one tab between the texts of a row, and none inside a text.",
            )


READER = TextReader()
