"""Relations whose entities are counted in tokens, as a marked text.

Read are the records of TACRED (Zhang et al. 2017: ``token``, ``subj_start``, ``subj_end``, …, whose ends are those of
the last token), with its re-annotations, of OpenNRE's sets (Wiki80, NYT10: ``token``, ``h.pos``, ``t.pos``, the end
behind the last token) and of FewRel (``tokens``, ``h`` and ``t`` with name, number and the tokens of every mention, of
which the first counts). Subject and head are the first entity, object and tail the second.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from provetune.data.words import are_single_letters, join_tokens

Place: TypeAlias = tuple[int, int]

_TOKENS = ("token", "tokens")
_TEXT = "text"


def with_marked_text(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """The record with its ``text``, both entities marked; one of another kind, or that has a text, as it is.

    Where a place lies outside the tokens the text has no mark for it, which the task tells with the row.
    """
    tokens = next((record[name] for name in _TOKENS if isinstance(record.get(name), list)), None)
    if not tokens or _TEXT in record or not all(isinstance(token, str) for token in tokens):
        return record
    places = _tacred(record) or _opennre(record) or _fewrel(record)
    return record if places is None else {_TEXT: _marked(tokens, places), **record}


def _tacred(record: Mapping[str, Any]) -> tuple[Place, Place] | None:
    numbers = [record.get(f"{side}_{edge}") for side in ("subj", "obj") for edge in ("start", "end")]
    if not all(type(number) is int for number in numbers):
        return None
    first, last, other, other_last = (int(number) for number in numbers if number is not None)
    return (first, last + 1), (other, other_last + 1)


def _opennre(record: Mapping[str, Any]) -> tuple[Place, Place] | None:
    places = []
    for side in ("h", "t"):
        entity = record.get(side)
        place = entity.get("pos") if isinstance(entity, Mapping) else None
        if not isinstance(place, list) or len(place) != 2 or not all(type(number) is int for number in place):
            return None
        places.append((place[0], place[1]))
    return places[0], places[1]


def _fewrel(record: Mapping[str, Any]) -> tuple[Place, Place] | None:
    places = []
    for side in ("h", "t"):
        entity = record.get(side)
        mentions = entity[2] if isinstance(entity, list) and len(entity) == 3 else None
        first = mentions[0] if isinstance(mentions, list) and mentions else None
        if not isinstance(first, list) or not first or not all(type(number) is int for number in first):
            return None
        places.append((min(first), max(first) + 1))
    return places[0], places[1]


def _marked(tokens: list[str], places: tuple[Place, Place]) -> str:
    text, found = join_tokens(tokens, single=are_single_letters([tokens]))
    marks: list[tuple[int, int, tuple[int, int], str]] = []
    for number, (start, end) in enumerate(places, start=1):
        if 0 <= start < end <= len(tokens):
            # At one place what ends stands before what begins; of two that begin there the longer one is outside.
            length = end - start
            marks.append((found[start][0], 1, (-length, number), f"<e{number}>"))
            marks.append((found[end - 1][1], 0, (length, -number), f"</e{number}>"))
    parts, at = [], 0
    for place, _, _, mark in sorted(marks):
        parts += [text[at:place].strip(), mark]
        at = place
    return " ".join(part for part in [*parts, text[at:].strip()] if part)
