"""Cells that hold lists: tokens, tags, or spans of letters, as the usual tools write them.

A span is an object with its start, its end (or its length) and its label under any of the usual names, at any depth
(``{"slot": "time", "valueSpan": {"startIndex": 5, "endIndex": 9}}``), or a list ``[start, end, "label"]``. The end is
behind the last letter. A start that is left out is 0, as Protocol Buffers' JSON leaves out zeros.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from provetune.data.span_words import Span

_STARTS = (
    "start",
    "start_position",
    "startindex",
    "start_index",
    "start_offset",
    "start_char",
    "begin",
    "from",
    "offset",
)
_ENDS = ("end", "end_position", "endindex", "end_index", "end_offset", "end_char", "stop", "to")
_LENGTHS = ("length", "len")
_LABELS = ("label", "labels", "entity_type", "entity_group", "slot", "type", "tag", "category", "entity", "class")
_VALUES = ("text", "entity_value", "value", "surface", "word", "mention")


class CellFault(ValueError):
    """A cell that is not what it should be; the message says what, without its place."""


@dataclass(frozen=True)
class GivenSpan:
    """A span as a file gives it.

    Attributes:
        span: start, end and label.
        value: the letters that the file says are there, if it does.
    """

    span: Span
    value: str | None = None


def list_cell(cell: str | None) -> list[Any] | None:
    """The list in a cell: JSON, or as Python prints it; None where the cell is empty or holds none."""
    if cell is None or cell.lstrip()[:1] != "[":
        return None
    try:
        found = json.loads(cell)
    except ValueError:
        try:
            found = ast.literal_eval(cell)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return None
    except RecursionError:
        return None
    return found if isinstance(found, list) else None


def words_cell(cell: str | None) -> list[str] | None:
    """Tokens or tags in a cell: a list of strings, or strings with white space between them.

    Raises:
        CellFault: a list that holds something else.
    """
    if cell is None or not cell.strip():
        return None
    found = list_cell(cell)
    if found is None:
        return cell.split()
    for k, one in enumerate(found, start=1):
        if not isinstance(one, str):
            shown = "nothing" if one is None else json.dumps(one, ensure_ascii=False, default=str)[:40]
            raise CellFault(f"number {k} of the list is {shown} instead of a string")
    return found


def spans_cell(cell: str | None) -> list[GivenSpan] | None:
    """The spans in a cell, in its order; None where it is empty.

    Raises:
        CellFault: it is no list, or something in it is no span.
    """
    if cell is None or not cell.strip():
        return None
    found = list_cell(cell)
    if found is None:
        raise CellFault(f"a list of spans is wanted, this is '{cell.strip()[:40]}'")
    return [_span(one, k) for k, one in enumerate(found, start=1)]


def are_spans(found: Sequence[Any]) -> bool:
    """Whether all of a list's entries are spans."""
    try:
        for k, one in enumerate(found):
            _span(one, k)
    except CellFault:
        return False
    return True


def fault_of_span(span: Span, text: str) -> str | None:
    """What is wrong with the place of a span, one phrase; None where it fits its text."""
    start, end, label = span
    if start < 0 or end > len(text):
        return f"the span {start} to {end} ('{label}') is outside the text of {len(text)} letters"
    if start >= end:
        return f"the span {start} to {end} ('{label}') is empty"
    if not text[start:end].strip():
        return f"the span {start} to {end} ('{label}') covers white space alone"
    return None


def _span(one: Any, number: int) -> GivenSpan:
    if isinstance(one, list | tuple) and len(one) == 3:
        start, end, label, value = one[0], one[1], one[2], None
        if isinstance(start, str) and _is_number(end) and _is_number(label):
            start, end, label = end, label, start
    elif isinstance(one, Mapping):
        fields = dict(_fields(one))
        end, start = _first(fields, _ENDS), _first(fields, _STARTS)
        length = _first(fields, _LENGTHS)
        start = 0 if start is None and (end is not None or length is not None) else start
        end = start + length if end is None and _is_number(length) and _is_number(start) else end
        label, value = _first(fields, _LABELS), _first(fields, _VALUES)
        if isinstance(label, list) and len(label) == 1:
            label = label[0]
    else:
        raise CellFault(f"span {number} must be an object or [start, end, label]. Got {_shown(one)} instead")
    if not _is_number(start) or not _is_number(end):
        raise CellFault(f"span {number} has no start and end: {_shown(one)}")
    if not isinstance(label, str) or not label.strip():
        raise CellFault(f"span {number} has no label: {_shown(one)}")
    return GivenSpan((int(start), int(end), label.strip()), value if isinstance(value, str) else None)


def _fields(one: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every field at any depth by its lower-case name, outer ones last, so that they win."""
    for value in one.values():
        if isinstance(value, Mapping):
            yield from _fields(value)
    for name, value in one.items():
        if not isinstance(value, Mapping):
            yield str(name).lower(), value


def _first(fields: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((fields[name] for name in names if fields.get(name) is not None), None)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == int(value)


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)[:60]
