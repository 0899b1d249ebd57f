"""Texts as fastText takes them: a line a row, its labels in front, ``__label__refund where is my money``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from provetune.core.errors import DataError
from provetune.data.encodings import find_encoding
from provetune.data.table import CHUNK_ROWS, RawTable, ReadOptions, TableBuilder

_MARK = "__label__"
_NAMES = ("text", "label")


class FastTextReader:
    """Reads ``text`` and ``label``: a list where any row has several labels, missing where a row has none."""

    extensions: tuple[str, ...] = ()
    prefix: str | None = None

    def claims(self, lines: Sequence[str]) -> bool:
        """Whether nearly all filled lines begin with a label."""
        filled = [line for line in lines if line.strip()]
        return len(filled) > 0 and sum(line.lstrip().startswith(_MARK) for line in filled) > 0.9 * len(filled)

    def read(self, location: str, options: ReadOptions) -> RawTable:
        """Read a whole file.

        Raises:
            DataError: a line has labels and no text.
        """
        path = Path(location)
        encoding, note = find_encoding(path, options.encoding)
        with path.open(encoding=encoding, newline=None) as stream:
            several = any(line.count(_MARK) > 1 for line in stream)
        builder = TableBuilder(location, list(_NAMES))
        with path.open(encoding=encoding, newline=None) as stream:
            rows = _rows(stream, location)
            while chunk := list(islice(rows, CHUNK_ROWS)):
                labels = [found if several else next(iter(found), None) for _, _, found in chunk]
                texts = [text for _, text, _ in chunk]
                builder.add({"text": texts, "label": labels}, [number for number, _, _ in chunk])
        return builder.finish("fasttext", [note] if note else [])


def _rows(stream: Iterator[str], location: str) -> Iterator[tuple[int, str, list[str]]]:
    for number, line in enumerate(stream, start=1):
        words = line.split()
        if not words:
            continue
        count = next((place for place, word in enumerate(words) if not word.startswith(_MARK)), len(words))
        if count == len(words):
            raise DataError("This line has labels and no text.", where=f"{location}, line {number}")
        text = line.strip()
        for word in words[:count]:
            text = text.removeprefix(word).lstrip()
        yield number, text, [word.removeprefix(_MARK) for word in words[:count]]


READER = FastTextReader()
