"""One token a line with its tag, a blank line between sentences: CoNLL columns, BIO, BIOES and BMES files.

A row is a sentence. Its tokens and its tags are lists; further columns between them (part of speech, chunk) are lists
of their own. A line with too few or too many columns leaves its tag empty, and its row says which line that was: a bad
row is told with its place, and can be set aside, instead of stopping everything.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from provetune.core.errors import DataError
from provetune.data.encodings import find_encoding
from provetune.data.table import CHUNK_ROWS, RawTable, ReadOptions, TableBuilder

TOKENS, TAGS, DOCUMENT, FAULTS = "tokens", "tags", "document", "faults"
"""Columns of the table: lists of tokens and of tags, the number of the document where the file marks them, and what is
wrong with lines of the sentence, in words, where something is."""

_DOCUMENT_START = "-DOCSTART-"
_TAG = re.compile(r"[BIOESMLUW](?:[-_].+)?")
_COUNTED = re.compile(r"(\D+|.)(\d+)", re.DOTALL)
_MOST_GAPS = 0.01
_MOST_TAGGED = 0.95
_MOST_NAMES = 100
_SHOWN_LETTERS = 30


@dataclass(frozen=True)
class _Line:
    number: int
    text: str
    cells: list[str]


@dataclass
class _Sentence:
    """Lines of one sentence, taken apart."""

    line: int
    document: int
    columns: list[list[str | None]]
    faults: list[str] = field(default_factory=list)


class ConllReader:
    """Reads tokens and tags; the cell separator (tab or space) and the number of columns are found."""

    extensions: tuple[str, ...] = (
        ".conll", ".conll03", ".bio", ".bio2", ".iob", ".iob1", ".iob2", ".bioes", ".iobes", ".bilou", ".bmes",
    )  # fmt: skip
    prefix: str | None = None

    def claims(self, lines: Sequence[str]) -> bool:
        """Whether nearly all lines are a token and a tag, blank ones between some of them.

        Tags are those of a scheme, or few different ones of which most are O.
        """
        filled = [line for line in lines if not _is_blank(line) and not line.startswith((_DOCUMENT_START, "#"))]
        cut = [_cut(line, _find_delimiter(filled)) for line in filled]
        if len(filled) < 2 or len(filled) == len(lines):
            return False
        tags = [cells[-1] for cells in cut if len(cells) > 1]
        plain = tags.count("O") > 0.5 * len(tags) and len(set(tags)) <= _MOST_NAMES
        return sum(plain or _TAG.fullmatch(tag) is not None for tag in tags) >= _MOST_TAGGED * len(filled)

    def read(self, location: str, options: ReadOptions) -> RawTable:
        """Read a whole file.

        Raises:
            DataError: most lines are no token with a tag, or there is no sentence at all.
        """
        path = Path(location)
        encoding, note = find_encoding(path, options.encoding)
        notes = [note] if note else []
        with path.open(encoding=encoding, newline="\n") as stream:
            texts = [line.rstrip("\r\n").replace("\ufeff", "") for line in stream]
        delimiter = options.delimiter or _find_delimiter(texts)
        lines = [_Line(k, text, _cut(text, delimiter)) for k, text in enumerate(texts, start=1)]
        width = _find_width(lines, location)
        comments = _find_comments(lines, width)
        sentences = list(_sentences(lines, comments, width))
        if not sentences:
            raise DataError("There is no sentence in this file.", where=location)
        if comments:
            notes.append(f"{len(comments)} comment lines (the first is line {min(comments)}) were passed over.")
        if _strip_positions(sentences):
            notes.append("Every token ended with its position in its word (科0 技1); these digits were taken off.")
        return _to_table(sentences, width, location, notes)


def _cut(text: str, delimiter: str) -> list[str]:
    """The cells of a line. A token that is a space itself stands before the separator."""
    if delimiter != " ":
        cells = text.split(delimiter)
        while len(cells) > 2 and not cells[-1]:
            cells.pop()
        return cells
    cells = [cell for cell in text.replace("\t", " ").split(" ") if cell]
    return [" ", *cells] if text[:2] == "  " and len(cells) == 1 else cells


def _find_delimiter(texts: Sequence[str]) -> str:
    filled = [text for text in texts if not _is_blank(text)]
    return "\t" if sum("\t" in text for text in filled) > len(filled) / 2 else " "


def _is_blank(text: str) -> bool:
    # A no-break or ideographic space is a token in some Chinese files: only what separates cells is nothing.
    return not text.strip(" \t")


def _find_width(lines: Sequence[_Line], location: str) -> int:
    """Columns that most lines have.

    Raises:
        DataError: there is only one, or lines do not agree.
    """
    counted = Counter(len(line.cells) for line in lines if not _is_blank(line.text) and line.text[:1] != "#")
    if not counted:
        raise DataError("There is only blank space in this file.", where=location)
    width, count = counted.most_common(1)[0]
    wanted = "Each line must be a token and its tag, with a tab or a space between them."
    if width < 2:
        first = next(line for line in lines if len(line.cells) == width and not _is_blank(line.text))
        raise DataError(
            f"Most lines have one column, such as '{first.text[:_SHOWN_LETTERS]}'.",
            where=f"{location}, line {first.number}, column 2",
            hint=wanted,
        )
    if count <= 0.5 * counted.total():
        other = next(line for line in lines if not _is_blank(line.text) and len(line.cells) != width)
        raise DataError(
            f"Lines do not agree on their columns: {width} in {count} of {counted.total()} lines, "
            f"{len(other.cells)} in this one.",
            where=f"{location}, line {other.number}",
            hint=wanted,
        )
    return width


def _find_comments(lines: Sequence[_Line], width: int) -> set[int]:
    """Numbers of the lines that begin with # and are no token: another number of columns, or no tag at the end."""
    tags = {line.cells[-1] for line in lines if len(line.cells) == width and line.text[:1] != "#"}
    return {
        line.number
        for line in lines
        if line.text[:1] == "#"
        and (len(line.cells) != width or (line.cells[-1] not in tags and not _TAG.fullmatch(line.cells[-1])))
    }


def _sentences(lines: Sequence[_Line], comments: set[int], width: int) -> Iterator[_Sentence]:
    current: _Sentence | None = None
    document = 0
    for line in lines:
        starts_document = line.text.startswith(_DOCUMENT_START)
        document += starts_document
        if _is_blank(line.text) or starts_document:
            if current is not None:
                yield current
            current = None
        elif line.number not in comments:
            if current is None:
                current = _Sentence(line.number, document, [[] for _ in range(width)])
            _add(current, line, width)
    if current is not None:
        yield current


def _add(sentence: _Sentence, line: _Line, width: int) -> None:
    cells: list[str | None] = list(line.cells)
    if len(cells) != width:
        fault = f"line {line.number} has {_columns(len(cells))} instead of {width}"
        sentence.faults.append(f"{fault}: '{line.text[:_SHOWN_LETTERS]}'")
        cells = [line.text.strip(), *[None] * (width - 1)]
    elif not cells[0] or not cells[-1]:
        column = 1 if not cells[0] else width
        sentence.faults.append(f"line {line.number}, column {column} is empty: '{line.text[:_SHOWN_LETTERS]}'")
    for values, cell in zip(sentence.columns, cells, strict=True):
        values.append(cell)


def _columns(count: int) -> str:
    return f"{count} column{'' if count == 1 else 's'}"


def _strip_positions(sentences: Sequence[_Sentence]) -> bool:
    """Take off the digit that tells where in its word each letter is, where every token has one (Weibo NER).

    They count up from 0 in each word. A letter that was lost from the file leaves a gap, which is no reason to doubt.
    """
    taken: list[list[str | None]] = []
    count = gaps = 0
    for sentence in sentences:
        bare: list[str | None] = []
        before = -1
        for token in sentence.columns[0]:
            match = _COUNTED.fullmatch(token or "")
            if match is None:
                return False
            count += 1
            gaps += int(match[2]) not in (0, before + 1)
            before = int(match[2])
            bare.append(match[1])
        taken.append(bare)
    if gaps > _MOST_GAPS * count:
        return False
    for sentence, bare in zip(sentences, taken, strict=True):
        sentence.columns[0] = bare
    return True


def _to_table(sentences: Sequence[_Sentence], width: int, location: str, notes: Sequence[str]) -> RawTable:
    names = [TOKENS, *(f"column_{k}" for k in range(2, width)), TAGS]
    documents = any(sentence.document for sentence in sentences)
    faulty = any(sentence.faults for sentence in sentences)
    builder = TableBuilder(location, names)
    for start in range(0, len(sentences), CHUNK_ROWS):
        chunk = sentences[start : start + CHUNK_ROWS]
        columns: dict[str, list[Any]] = {name: [each.columns[k] for each in chunk] for k, name in enumerate(names)}
        if documents:
            columns[DOCUMENT] = [str(sentence.document) for sentence in chunk]
        if faulty:
            columns[FAULTS] = ["; ".join(sentence.faults) or None for sentence in chunk]
        builder.add(columns, [sentence.line for sentence in chunk])
    return builder.finish("conll", notes)


READER = ConllReader()
