"""Queries with lists of right and wrong documents, one record a right document.

So FlagEmbedding has them (``query``, ``pos``, ``neg``: texts) and Tevatron (``query``, ``positive_passages``,
``negative_passages``: objects with ``title`` and ``text``). Wrong documents stay a list, of texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_QUERY = "query"
_SIDES = (("pos", "neg"), ("positive_passages", "negative_passages"))


def each_answer(entries: Iterable[tuple[int, Mapping[str, Any]]]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Numbered records, those of queries with a list of documents once for each of these."""
    for number, record in entries:
        sides = next((names for names in _SIDES if isinstance(record.get(names[0]), list)), None)
        texts = None if sides is None or _QUERY not in record else _texts(record[sides[0]])
        if sides is None or texts is None:
            yield number, record
            continue
        wrong = _texts(record.get(sides[1]) or [])
        rest = {sides[1]: record.get(sides[1]) if wrong is None else wrong} if sides[1] in record else {}
        for text in texts:
            yield number, {**record, **rest, sides[0]: text}
        if not texts:
            yield number, {**record, **rest, sides[0]: None}


def passage_text(passage: Mapping[str, Any]) -> str | None:
    """Title and text of a document in one, as BEIR joins them; None where it has neither."""
    parts = [passage.get("title"), passage.get("text")]
    if not all(part is None or isinstance(part, str) for part in parts):
        return None
    return " ".join(part.strip() for part in parts if part and part.strip()) or None


def _texts(passages: Any) -> list[str] | None:
    """The texts of documents; None where something else stands among them."""
    if not isinstance(passages, list):
        return None
    found: list[str] = []
    for each in passages:
        text = passage_text(each) if isinstance(each, Mapping) else each
        if not isinstance(text, str):
            return None
        found.append(text)
    return found
