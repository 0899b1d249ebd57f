"""Files of conversations: rows into conversations and answers, and what is wrong with a row."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provetune.core.protocols import BadRow, RowParts
from provetune.data.conversations import (
    SYSTEM,
    ConversationFault,
    Message,
    check_prompt,
    looks_like_messages,
    read_answer,
    read_messages,
    split_answer,
    split_preference,
    to_text,
    turns_of_texts,
    waits_for_answer,
    with_controls,
)

if TYPE_CHECKING:
    from provetune.data.table import RawTable

_Parts = Mapping[str, str | list[str]]
_BETWEEN = "\n\n"
INPUTS = ("text", "system", "controls")
"""Roles that make up what is asked."""


@dataclass(frozen=True)
class Row:
    """A row of the file as the task works with it.

    Attributes:
        messages: what stands before the answer.
        answer: the one to learn; None where there is none.
        rejected: a worse one; None where there is none.
    """

    messages: list[Message]
    answer: str | None = None
    rejected: str | None = None


def read_rows(raw: RawTable, parts: _Parts, mask: Sequence[str]) -> RowParts:
    """``text`` (JSON of the messages before the answer), ``label`` (the answer) and, with pairs, ``rejected``.

    Personal data of the kinds of `mask` are replaced in every message.
    """
    import pyarrow as pa

    cells: dict[str, list[Any]] = {name: raw.table[name].to_pylist() for name in _columns_of(parts)}
    if len(names := _names(parts, "text")) == 1:
        cells[names[0]] = [turns_of_texts(cell) or cell for cell in _with_lists(raw, names[0])]
    texts: list[str | None] = []
    answers: list[str | None] = []
    rejected: list[str | None] = []
    bad: list[BadRow] = []
    for number in range(raw.rows):
        row = None
        try:
            row = _read_row({name: values[number] for name, values in cells.items()}, parts)
        except _Fault as fault:
            bad.append(BadRow(number, fault.column, str(fault)))
        masked = None if row is None else mask_row(row, mask)
        texts.append(None if masked is None else to_text(masked.messages))
        answers.append(None if masked is None else masked.answer)
        rejected.append(None if masked is None else masked.rejected)
    columns = {"text": pa.array(texts, pa.string()), "label": pa.array(answers, pa.string())}
    if "rejected" in parts:
        columns["rejected"] = pa.array(rejected, pa.string())
    return RowParts(columns, tuple(bad), masked=True)


def read_item(item: Any, parts: _Parts, names: Sequence[str] = ()) -> str | None:
    """What is to be answered, as the text of an example; None where it is empty.

    Args:
        item: a text of the user, a list of messages, or a mapping with the columns that the bundle was trained on.
        names: what those columns are called in a mapping, in the order of `INPUTS`; as in training when left out.

    Raises:
        ConversationFault: it is no conversation that waits for an answer.
    """
    inputs = {role: parts[role] for role in INPUTS if role in parts}
    cells = _as_cells(item, inputs, dict(zip(_columns_of(inputs), names, strict=False)))
    if all(_is_empty(cells.get(name)) for name in _names(parts, "text")):
        return None
    messages = _read_prompt(cells, inputs)
    check_prompt(messages)
    return to_text(messages)


def mask_row(row: Row, kinds: Sequence[str]) -> Row:
    """The row with personal data of these kinds replaced in every message."""
    if not kinds:
        return row
    from provetune.data.privacy import mask_text

    messages = [{**message, "content": mask_text(message["content"], kinds)} for message in row.messages]
    answers = [None if text is None else mask_text(text, kinds) for text in (row.answer, row.rejected)]
    return Row(messages, answers[0], answers[1])


def holds_messages(raw: RawTable, name: str, most: int = 50) -> bool:
    """Whether most cells of a column are lists of messages."""
    return _is_most(looks_like_messages, raw.table[name].slice(0, most).to_pylist())


def holds_turns(raw: RawTable, name: str, most: int = 50) -> bool:
    """Whether most cells of a column are lists of texts, which can be turns without speakers."""
    return _is_most(lambda cell: turns_of_texts(cell) is not None, _with_lists(raw, name, most))


def lacks_answers(raw: RawTable, name: str, most: int = 50) -> bool:
    """Whether most conversations of a column end with the user."""
    return _is_most(lambda cell: waits_for_answer(turns_of_texts(cell) or cell), _with_lists(raw, name, most))


def _is_most(judge: Callable[[Any], bool], cells: Sequence[Any]) -> bool:
    filled = [cell for cell in cells if cell]
    return bool(filled) and 2 * sum(judge(cell) for cell in filled) > len(filled)


def _with_lists(raw: RawTable, name: str, most: int | None = None) -> list[Any]:
    """The first cells of a column; what was a list in the file is one again, and no text that looks like one."""
    from provetune.data.table import Kind

    cells: list[Any] = raw.table[name].slice(0, most).to_pylist()
    for number in (raw.kind_of(name)[: len(cells)] == Kind.LIST).nonzero()[0].tolist():
        cells[number] = json.loads(cells[number])
    return cells


class _Fault(ConversationFault):
    """A fault, and the column that it is in."""

    def __init__(self, column: str, message: str) -> None:
        super().__init__(message)
        self.column = column


def _read_row(cells: Mapping[str, Any], parts: _Parts) -> Row | None:
    """One row; None where it has no text."""
    text = _names(parts, "text")[0]
    if all(_is_empty(cells[name]) for name in _names(parts, "text")):
        return None
    label, rejected = _one(parts, "label"), _one(parts, "rejected")
    if rejected is not None and label is None:
        messages, answer, worse = _told(rejected, lambda: split_preference(cells[text], cells[rejected]))
        return _checked_pair(Row(_extended(messages, cells, parts), answer, worse), rejected)
    messages = _told(text, lambda: _read_prompt(cells, parts))
    if label is None:
        if not looks_like_messages(cells[text]):
            return Row(messages)
        before, answer = _told(text, lambda: split_answer(messages))
        return Row(before, answer)
    _told(text, lambda: check_prompt(messages))
    messages = _told(label, lambda: _with_system_of(cells[label], messages))
    answer = None if _is_empty(cells[label]) else _told(label, lambda: _tail(messages, cells[label]))
    if rejected is None:
        return Row(messages, answer)
    return _checked_pair(Row(messages, answer, _told(rejected, lambda: _tail(messages, cells[rejected]))), rejected)


def _with_system_of(value: Any, messages: list[Message]) -> list[Message]:
    """The conversation with the system line that stands in the cell of its answer alone."""
    if messages[0]["role"] == SYSTEM or not looks_like_messages(value):
        return messages
    first = read_messages(value)[0]
    return [first, *messages] if first["role"] == SYSTEM else messages


def _tail(messages: Sequence[Message], value: Any) -> str:
    """The answer of a cell that holds it alone, or the whole conversation again with it at its end."""
    if looks_like_messages(value):
        found = read_messages(value)
        if len(found) > 1:
            before, answer = split_answer(found)
            turns = [message for message in messages if message["role"] != "system"]
            if [message for message in before if message["role"] != "system"] != turns:
                raise ConversationFault("This conversation is not the one that it should answer.")
            return answer
    return read_answer(value)


def _checked_pair(row: Row, column: str) -> Row:
    if row.answer is not None and row.answer.strip() == (row.rejected or "").strip():
        raise _Fault(column, "The chosen and the rejected answer are the same.")
    return row


def _read_prompt(cells: Mapping[str, Any], parts: _Parts) -> list[Message]:
    names = _names(parts, "text")
    given = [cells.get(name) for name in names if not _is_empty(cells.get(name))]
    messages = read_messages(given[0] if len(given) == 1 else _BETWEEN.join(str(each) for each in given))
    return _extended(messages, cells, parts)


def _extended(messages: Sequence[Message], cells: Mapping[str, Any], parts: _Parts) -> list[Message]:
    """The conversation with the row's own system line and its control attributes."""
    system = _one(parts, "system")
    own = "" if system is None or _is_empty(cells.get(system)) else str(cells[system])
    names = _names(parts, "controls")
    controls = dict(zip(_bare_names(names), (cells.get(name) for name in names), strict=True))
    return with_controls(messages, own, controls)


def _bare_names(names: Sequence[str]) -> list[str]:
    """What attributes are called: of ``controls.tone``, an object's, the last part, where that tells them apart."""
    last = [name.rpartition(".")[2] for name in names]
    return last if len(set(last)) == len(names) else list(names)


def _as_cells(item: Any, parts: _Parts, called: Mapping[str, str]) -> dict[str, Any]:
    """An item by column, whatever form it was handed over in."""
    first = _names(parts, "text")[0]
    if isinstance(item, Mapping) and not looks_like_messages([item]):
        from provetune.data.table import flatten

        item = {**flatten(item), **item}
        cells = {**item, **{name: item[given] for name, given in called.items() if given in item}}
        if first not in cells and (
            plain := next((cells[name] for name in ("text", "messages") if name in cells), None)
        ):
            cells[first] = plain
        if first not in cells:
            raise ConversationFault(f"There is no column '{first}'. There are: {', '.join(map(str, cells))}.")
        return cells
    return {first: [dict(item)] if isinstance(item, Mapping) else item}


def _told(column: str, work: Callable[[], Any]) -> Any:
    try:
        return work()
    except _Fault:
        raise
    except ConversationFault as fault:
        raise _Fault(column, str(fault)) from None


def _names(parts: _Parts, role: str) -> list[str]:
    named = parts.get(role)
    return [named] if isinstance(named, str) else list(named or [])


def _one(parts: _Parts, role: str) -> str | None:
    return next(iter(_names(parts, role)), None)


def _columns_of(parts: _Parts) -> list[str]:
    return list(dict.fromkeys(name for role in parts for name in _names(parts, role)))


def _is_empty(value: Any) -> bool:
    return (
        value is None or (isinstance(value, str) and not value.strip()) or (isinstance(value, float) and value != value)
    )
