"""Relations as SemEval-2010 Task 8 publishes them: a numbered sentence in quotes, its relation, a comment.

    1	"The system as described above has its greatest application in an arrayed <e1>configuration</e1> of <e2>…"
    Component-Whole(e2,e1)
    Comment: Not a collection: there is structure here

Test sentences stand alone, without relation and comment; theirs is a missing cell (Hendrickx et al. 2010).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from provetune.core.errors import DataError
from provetune.data.encodings import find_encoding
from provetune.data.table import CHUNK_ROWS, RawTable, ReadOptions, TableBuilder

_SENTENCE = re.compile(r'(\d+)\t"?(.*<e1>.*</e1>.*<e2>.*</e2>.*?)"?\s*\Z')
_RELATION = re.compile(r"[\w-]+(?:\(e[12],e[12]\))?\Z")
_COMMENT = "Comment:"
_NAMES = ("id", "text", "label")
_WANTED = "A sentence is a number, a tab and a text with <e1>…</e1> and <e2>…</e2>; its relation is the next line."

_Row = tuple[int, str, str, str | None]


class SemEvalReader:
    """Reads ``id``, ``text`` (with its markers) and ``label``; comments are passed over."""

    extensions: tuple[str, ...] = ()
    prefix: str | None = None

    def claims(self, lines: Sequence[str]) -> bool:
        """Whether the first filled line is a numbered sentence with two marked entities."""
        first = next((line for line in lines if line.strip()), "")
        return _SENTENCE.match(first) is not None

    def read(self, location: str, options: ReadOptions) -> RawTable:
        """Read a whole file.

        Raises:
            DataError: a line is no sentence, relation or comment where one is due.
        """
        path = Path(location)
        encoding, note = find_encoding(path, options.encoding)
        builder = TableBuilder(location, list(_NAMES))
        with path.open(encoding=encoding, newline=None) as stream:
            rows = _rows(stream, location)
            while chunk := list(islice(rows, CHUNK_ROWS)):
                lines, *columns = zip(*chunk, strict=True)
                builder.add(dict(zip(_NAMES, columns, strict=True)), list(lines))
        if builder.count == 0:
            raise DataError("There is only blank space in this file.", where=location)
        return builder.finish("semeval", [note] if note else [])


def _rows(stream: Iterator[str], location: str) -> Iterator[_Row]:
    current: _Row | None = None
    for number, line in enumerate(stream, start=1):
        text = line.strip()
        if not text or text.startswith(_COMMENT):
            continue
        if sentence := _SENTENCE.match(line.rstrip("\n")):
            if current is not None:
                yield current
            current = (number, sentence[1], sentence[2], None)
        elif current is not None and current[3] is None and _RELATION.match(text):
            current = (*current[:3], text)
        else:
            raise DataError(
                f"This line is no sentence with two marked entities and no relation: '{text[:40]}'.",
                where=f"{location}, line {number}",
                hint=_WANTED,
            )
    if current is not None:
        yield current


READER = SemEvalReader()
