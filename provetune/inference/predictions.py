"""What a predictor returns: a list of dictionaries that also renders itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from typing import Any

MOST_ROWS = 50


class Predictions(list[dict[str, Any]]):
    """One dictionary an item, in the order asked: ``{"label", "score"}`` for labels, with ``"labels"`` on demand.

    Args:
        rows: the dictionaries.
        texts: what was asked, shown beside in a notebook.
        keys: what is shown of each.
    """

    def __init__(
        self, rows: list[dict[str, Any]], texts: list[str] | None = None, keys: Sequence[str] = ("label", "score")
    ) -> None:
        super().__init__(rows)
        self.texts, self.keys = texts, tuple(keys)

    @property
    def labels(self) -> list[Any]:
        """The label of each item (a list of labels where a row may have several)."""
        return [row["label"] for row in self]

    def to_json(self) -> str:
        """All rows as one JSON document."""
        return json.dumps(list(self), ensure_ascii=False, allow_nan=False)

    def _repr_html_(self) -> str:
        heads = (["text"] if self.texts is not None else []) + [*self.keys]
        lines = ["<table>", f"<tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr>"]
        for number, row in enumerate(self[:MOST_ROWS]):
            cells = [] if self.texts is None else [_cut(self.texts[number])]
            cells += [spell(row.get(key)) for key in self.keys]
            lines.append(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>")
        if len(self) > MOST_ROWS:
            lines.append(f"<tr><td colspan={len(heads)}>… and {len(self) - MOST_ROWS} more</td></tr>")
        return "\n".join([*lines, "</table>"])


def spell(value: Any) -> str:
    """An answer in a cell: numbers short, lists of names joined, anything else as JSON."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ", ".join(value)
    return json.dumps(value, ensure_ascii=False)


def _cut(text: str, limit: int = 120) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
