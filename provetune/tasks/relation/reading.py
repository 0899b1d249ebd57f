"""Rows of a file into marked texts: marked already, or plain beside two columns that say where the entities stand."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from provetune.core.errors import DataError
from provetune.core.protocols import BadRow, RowParts
from provetune.tasks.relation.markers import (
    ENTITIES,
    MarkerFault,
    Span,
    has_markers,
    in_one_writing,
    mark_entities,
)

if TYPE_CHECKING:
    from provetune.data.table import RawTable
    from provetune.problem.syntax import Columns, Data

_HINT = "Mark both entities: … <e1> author </e1> … <e2> book </e2> …"
_WHOLE = re.compile(r"(\d{1,9})(?:\.0+)?")
_STARTS = ("start", "start_offset", "start_char", "begin", "from")
_ENDS = ("end", "end_offset", "end_char", "stop", "to")


def read_relations(raw: RawTable, data: Data, columns: Columns) -> RowParts:
    """``text`` with both entities marked in one writing, and ``label``, one string a row.

    Raises:
        DataError: no text column is named or more than one, or a row has several labels.
    """
    import pyarrow as pa

    from provetune.data.label_merging import merge_labels
    from provetune.data.labels import read_labels
    from provetune.data.texts import read_texts

    if not isinstance(columns.text, str):
        raise DataError(
            "A relation is read from one text column.", where=raw.location, hint="Name it with data.columns.text."
        )
    texts, _ = read_texts(raw, columns.text)
    labels = merge_labels(read_labels(raw, columns.label, data.label_separator), data.merge)
    if pa.types.is_list(labels.type):
        raise DataError(
            "A row holds several labels; a pair of entities has one relation.",
            where=raw.location,
            hint="Write one row for each relation, or use task: classification.",
        )
    marked, bad = [], []
    entities = entity_cells(raw, columns)
    for row, text in enumerate(texts.to_pylist()):
        try:
            marked.append(None if text is None or not text.strip() else marked_text(text, entities and entities[row]))
        except MarkerFault as fault:
            marked.append(None)
            bad.append(BadRow(row, columns.text, f"{fault}."))
    return RowParts({"text": pa.chunked_array([pa.array(marked, pa.string())]), "label": labels}, tuple(bad))


def marked_text(text: str, entities: Sequence[Sequence[Any]] | None) -> str:
    """One text with its markers as the model knows them.

    Args:
        entities: cells of the first and the second entity, one or two each (`find_span`); None where the text is
            marked itself.

    Raises:
        MarkerFault: the entities cannot be told.
    """
    if has_markers(text) or entities is None:
        return in_one_writing(text)
    first, second = (find_span(text, cells, name) for name, cells in zip(ENTITIES, entities, strict=True))
    return mark_entities(text, first, second)


def input_text(parts: Sequence[Any], where: str) -> tuple[str, ...] | None:
    """The marked text of one item to predict: of a text alone, or with the cells of its two entities.

    Raises:
        DataError: the entities cannot be told.
    """
    text, entities = parts[0], list(parts[1:])
    if text is None or (isinstance(text, str) and not text.strip()):
        return None
    if not isinstance(text, str):
        raise DataError(f"The text must be a string. Got {str(text)[:40]} instead.", where=where)
    # An entity has one cell, or a start and an end.
    half = len(entities) // 2
    try:
        return (marked_text(text, [entities[:half], entities[half:]] if entities else None),)
    except MarkerFault as fault:
        raise DataError(f"{str(fault)[:1].upper()}{str(fault)[1:]}.", where=where, hint=_HINT) from None


def find_span(text: str, cells: Sequence[Any], name: str) -> Span:
    """Where an entity stands, from its cells: its words, ``[start, end]``, an object with both, or two numbers.

    Raises:
        MarkerFault: the words do not stand in the text, or more than once; or the cells hold no place.
    """
    if len(cells) == 2:
        return Span(_whole_number(cells[0], name), _whole_number(cells[1], name))
    cell = cells[0]
    given = _parsed(cell)
    if isinstance(given, Mapping):
        start, end = (_named(given, names) for names in (_STARTS, _ENDS))
        return Span(_whole_number(start, name), _whole_number(end, name))
    if isinstance(given, Sequence) and not isinstance(given, str):
        if len(given) != 2:
            raise MarkerFault(f"{name} must be a start and an end. Got {str(cell)[:40]} instead")
        return Span(_whole_number(given[0], name), _whole_number(given[1], name))
    return _only_place(text, given, name)


def entity_columns(columns: Columns) -> list[list[str]] | None:
    """The columns of the two entities, one or two each; None where texts are marked.

    Raises:
        DataError: only one entity is named, or more than two columns for one.
    """
    named = [columns.part(name) for name in ENTITIES]
    if named == [None, None]:
        return None
    parts = [[part] if isinstance(part, str) else list(part or ()) for part in named]
    for name, part in zip(ENTITIES, parts, strict=True):
        if not 1 <= len(part) <= 2:
            raise DataError(
                f"data.columns.{name} must name the entity's column, or its start and its end.",
                hint="Name both e1 and e2, or neither where the text is marked.",
            )
    return parts


def entity_cells(raw: RawTable, columns: Columns) -> list[list[list[str | None]]] | None:
    """The cells of both entities of each row."""
    parts = entity_columns(columns)
    if parts is None:
        return None
    each = [[raw.table[name].to_pylist() for name in part] for part in parts]
    return [[[cells[row] for cells in part] for part in each] for row in range(raw.rows)]


def _only_place(text: str, words: Any, name: str) -> Span:
    if not isinstance(words, str) or not words.strip():
        raise MarkerFault(f"{name} is empty")
    words = words.strip()
    places = [start for start in range(len(text)) if text.startswith(words, start)]
    whole = [start for start in places if _stands_alone(text, start, start + len(words))]
    found = whole or places
    if len(found) != 1:
        times = f"stands in the text {len(found)} times: give its start and end" if found else "is not in the text"
        raise MarkerFault(f"{name} '{words[:40]}' {times}")
    return Span(found[0], found[0] + len(words))


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Whether no letter goes on before or behind; Chinese characters do not go on."""
    before, behind = text[start - 1 : start], text[end : end + 1]
    return not (_goes_on(before) and _goes_on(text[start])) and not (_goes_on(behind) and _goes_on(text[end - 1]))


def _goes_on(letter: str) -> bool:
    return letter.isalnum() and not "\u3040" <= letter <= "\u9fff"


def _parsed(cell: Any) -> Any:
    """A cell that holds a list or an object as such; a text stays one."""
    if isinstance(cell, str) and cell.lstrip()[:1] in ("[", "{"):
        try:
            return json.loads(cell)
        except ValueError:
            return cell
    return cell


def _named(given: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((given[name] for name in names if name in given), None)


def _whole_number(value: Any, name: str) -> int:
    match = _WHOLE.fullmatch(str(value).strip())
    if match is None:
        raise MarkerFault(f"{name} must have a start and an end as whole numbers. Got {str(value)[:40]} instead")
    return int(match[1])
