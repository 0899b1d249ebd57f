"""Answers of a bundle on the screen and in a pipe, whatever form its task gives them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from rich.table import Table

Answer: TypeAlias = Mapping[str, Any]
SCORE = "score"
LABELS, ABSTAINED = "labels", "abstained"
_MOST_NUMBERS = 4
_MOST_LETTERS = 200


def answer_table(items: Sequence[Any], answers: Sequence[Answer], keys: Sequence[str], show: Any) -> Table:
    """What was asked and what was answered, a line each; further answers to it stand below, dim.

    Args:
        keys: of every answer.
        show: the task's words for an answer that is no plain text or number.
    """
    from rich.markup import escape
    from rich.table import Table

    shown = [*keys, *([ABSTAINED] if any(ABSTAINED in answer for answer in answers) else [])]
    table = Table("asked" if "text" in keys else "text", *shown, box=None, pad_edge=False, header_style="bold")
    for item, answer in zip(items, answers, strict=True):
        told = [_in_words(key, answer.get(key), show) for key in shown]
        text = item if isinstance(item, str) else " | ".join(map(str, item))
        table.add_row(escape(_cut(text)), *map(escape, told))
        for more in _further(answer, keys):
            cells = [_in_words(key, more.get(key), show) for key in keys]
            if cells[0] != told[0]:
                table.add_row("", *map(escape, cells), style="dim")
    return table


def answer_line(answer: Answer, keys: Sequence[str]) -> str:
    """An answer as one line, tab-separated: its keys' values, then ``abstained``, then further answers.

    Lists and objects are JSON; further labels are ``label=score``.
    """
    cells = [spell(key, answer[key]) for key in keys]
    if answer.get(ABSTAINED):
        cells.append(ABSTAINED)
    if isinstance(labels := answer.get(LABELS), Mapping):
        cells += [f"{label}={score:.4f}" for label, score in labels.items()]
    elif further := list(_further(answer, keys)):
        cells.append(spell("", further))
    # One line an answer, whatever stands in it.
    return "\t".join(" ".join(cell.split()) for cell in cells)


def spell(key: str, value: Any) -> str:
    """A value as text that another program can read.

    Args:
        key: what it is; a score has four decimals, another number the digits that it needs.
    """
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, float):
        return f"{value:.4f}" if key == SCORE else f"{value:.6g}"
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return "|".join(value)
    return json.dumps(value, ensure_ascii=False)


def _in_words(key: str, value: Any, show: Callable[[Any], str]) -> str:
    """A value for a person: vectors cut, what is no plain value in its task's words."""
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, list) and len(value) > _MOST_NUMBERS and all(isinstance(part, float) for part in value):
        return f"{', '.join(f'{part:.3f}' for part in value[:_MOST_NUMBERS])}, … ({len(value)} numbers)"
    if isinstance(value, dict) or (isinstance(value, list) and not all(isinstance(part, str) for part in value)):
        return show(value)
    return spell(key, value)


def _further(answer: Answer, keys: Sequence[str]) -> Iterator[Answer]:
    """Other answers to the same item, best first: likely labels, or a list of answers of the same form."""
    for key, value in answer.items():
        if key == LABELS and isinstance(value, Mapping):
            yield from ({keys[0]: label, SCORE: score} for label, score in value.items())
        elif key not in keys and isinstance(value, list):
            yield from (one for one in value if isinstance(one, Mapping) and keys[0] in one)


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_LETTERS else f"{text[: _MOST_LETTERS - 1]}…"
