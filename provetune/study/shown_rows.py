"""A row of the data as a person reads it: where it comes from, its text, its label in words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Task

MOST_LETTERS = 1000
BETWEEN = " ⏐ "


@dataclass(frozen=True)
class ShownRows:
    """N rows and their labels.

    Attributes:
        examples: with ``row_id``, ``text``, and ``text_pair``, ``_file`` and ``_row`` where there are such.
        gold: the labels as outcomes hold them.
    """

    examples: pa.Table
    gold: list[Any]

    def show(self, row: int) -> dict[str, Any]:
        """``row_id``, ``file``, ``row``, ``text`` and ``label``; a long text is cut."""
        line = {
            name: self.examples.column(name)[row].as_py()
            for name in ("row_id", "_file", "_row", "text", "text_pair")
            if name in self.examples.column_names
        }
        second = line.get("text_pair")
        # A second text that is the answer, as the document that a query is to find, stands below anyway.
        texts = [readable(line["text"] or ""), readable(second or "") if second != self.gold[row] else ""]
        return {
            "row_id": line["row_id"],
            "file": line.get("_file"),
            "row": line.get("_row"),
            "text": cut(BETWEEN.join(each for each in texts if each)),
            "label": self.gold[row],
        }


def cut(text: str, most: int = MOST_LETTERS) -> str:
    """A text of at most that many letters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def readable(text: str) -> str:
    """A conversation that is kept as JSON, a line a message; any other text as it is."""
    if not text.startswith("["):
        return text
    try:
        messages = json.loads(text)
    except ValueError:
        return text
    if not messages or not all(isinstance(one, Mapping) and {"role", "content"} <= set(one) for one in messages):
        return text
    return "\n".join(f"{one['role']}: {one['content']}" for one in messages)


def in_words(task: Task, value: Any, text: str) -> str:
    """A label or an answer as its task shows it; spans are given the letters of `text` that they stand for."""
    if isinstance(value, list) and value and all(_is_span(one) for one in value):
        value = [{"text": text[one["start"] : one["end"]], **one} for one in value]
    return cut(task.show(value))


def _is_span(value: Any) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("start"), int) and isinstance(value.get("end"), int)
