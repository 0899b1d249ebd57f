"""Tables that only a task has, as the page shows them: headings in the page's language, numbers short."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from provetune.study.report_html import numbers
from provetune.study.report_html.places import trial_href
from provetune.study.report_html.table_words import NAMED_CELLS
from provetune.study.report_html.words import Words

TALL = 30
_FIGURE = re.compile(r"[-−]?[\d,.]+ ?%?")
_MOST_LETTERS = 300


@dataclass(frozen=True)
class OwnTable:
    """One table, ready to be shown.

    Attributes:
        of: whose run it is about, in words, and where that leads.
        columns: heading, and whether its cells are numbers.
        rows: cells as text.
        tall: whether it has so many rows that it scrolls.
    """

    title: str
    of: str
    href: str
    columns: list[tuple[str, bool]]
    rows: list[list[str]]
    note: str
    tall: bool


def own_tables(candidate: str, tables: Sequence[Mapping[str, Any]], words: Words) -> list[OwnTable]:
    """The tables of one candidate that have rows."""
    return [_table(candidate, table, words) for table in tables if table["rows"]]


def _table(candidate: str, table: Mapping[str, Any], words: Words) -> OwnTable:
    rows = table["rows"]
    words_of_cells = words if table["name"].partition(":")[0] in NAMED_CELLS else None
    tiny = [numbers.are_tiny(column) for column in zip(*rows, strict=True)]
    aligned = [all(_is_number(row[place]) for row in rows) for place in range(len(table["columns"]))]
    return OwnTable(
        title=words.phrase(table["title"]),
        of=words("of_seed", k=table["k"]),
        href=trial_href(candidate, table["k"]),
        columns=[(words.phrase(name), right) for name, right in zip(table["columns"], aligned, strict=True)],
        rows=[[_cell(cell, small, words_of_cells) for cell, small in zip(row, tiny, strict=True)] for row in rows],
        note=words.phrase(table["note"]),
        tall=len(rows) > TALL,
    )


def _is_number(cell: Any) -> bool:
    if isinstance(cell, str):
        return _FIGURE.fullmatch(cell) is not None
    return cell is None or (isinstance(cell, int | float) and not isinstance(cell, bool))


def _cell(cell: Any, tiny: bool, words: Words | None) -> str:
    """A cell as text.

    Args:
        words: None where a cell may be a word of the data.
    """
    text = numbers.cell(cell, tiny=tiny)
    if words is not None and isinstance(cell, str):
        text = words.phrase(text)
    return text if len(text) <= _MOST_LETTERS else f"{text[: _MOST_LETTERS - 1]}…"
