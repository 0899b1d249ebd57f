"""What a predictor returns: a list of dictionaries that also renders itself."""

from __future__ import annotations

import json
from html import escape
from typing import Any

MOST_ROWS = 50


class Predictions(list[dict[str, Any]]):
    """One dictionary an item, in the order asked: ``{"label", "score"}``, with ``"labels"`` on demand.

    Args:
        rows: the dictionaries.
        texts: what was asked, shown beside in a notebook.
    """

    def __init__(self, rows: list[dict[str, Any]], texts: list[str] | None = None) -> None:
        super().__init__(rows)
        self.texts = texts

    @property
    def labels(self) -> list[Any]:
        """The label of each item (a list of labels where a row may have several)."""
        return [row["label"] for row in self]

    def to_json(self) -> str:
        """All rows as one JSON document."""
        return json.dumps(list(self), ensure_ascii=False, allow_nan=False)

    def _repr_html_(self) -> str:
        heads = (["text"] if self.texts is not None else []) + ["label", "score"]
        lines = ["<table>", f"<tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr>"]
        for number, row in enumerate(self[:MOST_ROWS]):
            cells = [] if self.texts is None else [_cut(self.texts[number])]
            label = row["label"]
            cells.append(", ".join(label) if isinstance(label, list) else str(label))
            cells.append("" if row["score"] is None else f"{row['score']:.3f}")
            lines.append(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>")
        if len(self) > MOST_ROWS:
            lines.append(f"<tr><td colspan={len(heads)}>… and {len(self) - MOST_ROWS} more</td></tr>")
        return "\n".join([*lines, "</table>"])


def _cut(text: str, limit: int = 120) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
