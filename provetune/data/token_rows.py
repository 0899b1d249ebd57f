"""Tables with a token a row (csv, xlsx) into a sentence a row, as files of tags are read.

So the GMB corpus is published (``Sentence #, Word, POS, Tag``: only the first token of a sentence names it), and what
spreadsheets are made of. Taken for it are tables with a column of sentences, one of words and one of tags with the
prefixes of a scheme, all three called so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from provetune.data.column_names import name_words
from provetune.data.table import CHUNK_ROWS, ROW, RawTable, TableBuilder
from provetune.data.tag_schemes import OUTSIDE, parse_tag

_SENTENCES = ("sentence", "sent", "sentenceid", "sentid", "sentenceidx", "sentenceno", "sentencenumber")
_WORDS = ("word", "words", "token", "tokens", "字", "词")
_TAGS = ("tag", "tags", "nertag", "nertags", "ner", "bio", "iob", "label", "labels", "entity")
_NOT_IN_NAMES = {"id", "idx", "no", "number"}
_LOOKED_AT = 2_000
_MOST = 0.95


def with_sentences(raw: RawTable) -> RawTable:
    """The table with ``tokens``, ``tags`` and a list for each other column; one of another kind as it is."""
    found = [_called(raw, names) for names in (_SENTENCES, _WORDS, _TAGS)]
    sentence, word, tag = found
    if (
        sentence is None
        or word is None
        or tag is None
        or not _are_tags(raw.table[tag].slice(0, _LOOKED_AT).to_pylist())
    ):
        return raw
    starts = _starts(raw.table[sentence].to_pylist())
    if len(starts) > 0.5 * raw.rows:
        return raw
    names = {word: "tokens", **{name: name for name in raw.names if name not in found}, tag: "tags"}
    builder = TableBuilder(raw.location, list(names.values()))
    cells = {name: raw.table[name].to_pylist() for name in names}
    places = raw.table[ROW].to_pylist()
    bounds = list(zip(starts, [*starts[1:], raw.rows], strict=True))
    for first in range(0, len(bounds), CHUNK_ROWS):
        chunk = bounds[first : first + CHUNK_ROWS]
        columns: dict[str, list[Any]] = {new: [cells[old][a:b] for a, b in chunk] for old, new in names.items()}
        builder.add(columns, [places[start] for start, _ in chunk])
    note = (
        f"A row is a token, and '{sentence}' says which sentence it is of: {len(starts):,} sentences were put together."
    )
    return builder.finish("conll", [*raw.notes, note])


def _called(raw: RawTable, names: Sequence[str]) -> str | None:
    """The column whose words, numbering aside, are one of these names."""
    for name in raw.names:
        words = name_words(name)
        if "".join(words) in names or "".join(word for word in words if word not in _NOT_IN_NAMES) in names:
            return name
    return None


def _are_tags(cells: Sequence[str | None]) -> bool:
    filled = [cell for cell in cells if cell]
    sound = [cell for cell in filled if parse_tag(cell) is not None]
    return len(sound) >= max(1.0, _MOST * len(cells)) and any(len(cell) > 1 for cell in sound) and OUTSIDE in sound


def _starts(cells: Sequence[str | None]) -> list[int]:
    """Where another sentence begins; an empty cell goes on with the one before."""
    starts, before = [0], cells[0] if cells else None
    for place, cell in enumerate(cells):
        if place and cell and cell.strip() and cell != before:
            starts.append(place)
            before = cell
    return starts
