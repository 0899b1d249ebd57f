"""Gold answers in the forms that files have, each looked for in its passage."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

NOWHERE = -1
_STARTS = ("answer_start", "start", "offset")
_WHOLE = re.compile(r"-?\d{1,9}(?:\.0+)?")


class AnswerFault(ValueError):
    """Answers that cannot be read; the message says why, without their place."""


@dataclass(frozen=True)
class Given:
    """An answer as a file gives it; `start` is None where it has no offset."""

    text: str
    start: int | None = None


@dataclass(frozen=True)
class Answer:
    """An answer and where it stands.

    Attributes:
        text: its words; "" in files that write "no answer" so.
        start: its offset where the words do stand there (or the first place where the file gives none), else -1.
        nearest: the place nearest to the offset where they stand, -1 where they stand nowhere.
    """

    text: str
    start: int
    nearest: int

    def place(self, *, repair: bool) -> int:
        """Where it is learned from; -1 for nowhere."""
        return self.nearest if repair and self.start == NOWHERE else self.start


def read_answers(cell: str | None, start: str | None = None) -> list[Given] | None:
    """The answers in a cell; None where it is empty, an empty list where a question has no answer.

    Args:
        cell: a list of objects (``text`` and ``answer_start``) or of texts, an object of two lists, or an answer as it
            stands.
        start: the cell of its offset, where that is a column of its own; of several answers a list of them.

    Raises:
        AnswerFault: it is none of these.
    """
    if cell is None or not cell.strip():
        return None
    found = _parsed(cell)
    if isinstance(found, str):
        return [Given(found, _offset(start))]
    if isinstance(found, Mapping):
        found = _from_columns(found)
    elif start is not None and all(isinstance(entry, str) for entry in found):
        found = _from_columns({"text": found, _STARTS[0]: _parsed(start)})
    return [_from_entry(entry) for entry in found]


def locate(given: Given, context: str) -> Answer:
    """An answer with its place in the passage."""
    text = given.text
    if not text.strip():
        return Answer("", NOWHERE, NOWHERE)
    if given.start is None:
        first = context.find(text)
        return Answer(text, first, first)
    if given.start >= 0 and context.startswith(text, given.start):
        return Answer(text, given.start, given.start)
    return Answer(text, NOWHERE, _nearest(text, context, given.start))


def _nearest(text: str, context: str, start: int) -> int:
    behind = context.find(text, max(0, start))
    before = context.rfind(text, 0, max(0, start) + len(text))
    places = [place for place in (before, behind) if place != NOWHERE]
    return min(places, key=lambda place: abs(place - start), default=NOWHERE)


def _parsed(cell: str) -> Any:
    """A cell that holds a list or an object as such; anything else is an answer as it stands."""
    if cell.lstrip()[:1] not in ("[", "{"):
        return cell
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        return cell


def _from_columns(found: Mapping[str, Any]) -> Sequence[Any]:
    """``{"text": […], "answer_start": […]}`` as a list; one answer alone as a list of one."""
    texts = found.get("text")
    if not isinstance(texts, list):
        return [found]
    name = next((name for name in _STARTS if name in found), None)
    starts = found[name] if name is not None else [None] * len(texts)
    if not isinstance(starts, list) or len(starts) != len(texts):
        raise AnswerFault("there must be one offset for each answer")
    return [{"text": text, "answer_start": start} for text, start in zip(texts, starts, strict=True)]


def _from_entry(entry: Any) -> Given:
    if isinstance(entry, str):
        return Given(entry)
    if not isinstance(entry, Mapping) or not isinstance(entry.get("text"), str):
        raise AnswerFault(f"an answer must have a 'text'. Got {str(entry)[:40]} instead")
    start = next((entry[name] for name in _STARTS if entry.get(name) is not None), None)
    return Given(entry["text"], _offset(start))


def _offset(value: Any) -> int | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, bool) or not _WHOLE.fullmatch(str(value).strip()):
        raise AnswerFault(f"an offset must be a whole number. Got {str(value)[:40]} instead")
    return int(float(value))
