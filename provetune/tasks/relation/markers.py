"""Entities marked in a text: ``The <e1> author </e1> of a keygen uses a <e2> disassembler </e2> .``

One writing, whatever a file has: lower case, one space outside and inside of every marker. ``[E1] … [/E1]`` is read as
well. Which entity comes first in the text is free; each is marked once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MARKERS = ("<e1>", "</e1>", "<e2>", "</e2>")
ENTITIES = ("e1", "e2")

_MARKER = re.compile(r"\s*[<\[](?P<end>/?)e(?P<number>[12])[>\]]\s*", re.IGNORECASE)
_NEIGHBOURS = re.compile(r"(</?e[12]>)  (?=</?e[12]>)")


class MarkerFault(ValueError):
    """A text whose entities cannot be told; the message says why, without its place."""


@dataclass(frozen=True)
class Span:
    """Letters `start` up to `end` of a text, the end not included."""

    start: int
    end: int


def has_markers(text: str) -> bool:
    """Whether any entity is marked in the text."""
    return _MARKER.search(text) is not None


def in_one_writing(text: str) -> str:
    """A marked text with its markers as the model knows them.

    Raises:
        MarkerFault: a marker is missing, is there twice, closes before it opens, marks nothing, or two entities cross.
    """
    find_entities(text)
    spaced = _MARKER.sub(lambda match: f" <{match['end']}e{match['number']}> ", text)
    # Neighbouring markers each bring their space.
    return _NEIGHBOURS.sub(r"\1 ", spaced).strip()


def find_entities(text: str) -> tuple[Span, Span]:
    """Where in a marked text the two entities stand, white space at their edges left out.

    Raises:
        MarkerFault: see `in_one_writing`.
    """
    places: dict[str, re.Match[str]] = {}
    for match in _MARKER.finditer(text):
        name = f"<{match['end']}e{match['number']}>"
        if name in places:
            raise MarkerFault(f"{name} is there more than once; mark one entity of each kind")
        places[name] = match
    for name in MARKERS:
        if name not in places:
            raise MarkerFault(f"{name} is missing" if places else "no entities are marked")
    spans = []
    for entity in ENTITIES:
        start, end = places[f"<{entity}>"].end(), places[f"</{entity}>"].start()
        if end < start:
            wrong = (
                "marks nothing" if places[f"</{entity}>"].start() >= places[f"<{entity}>"].start() else "closes first"
            )
            raise MarkerFault(f"<{entity}> {wrong}")
        if not _without_markers(text[start:end]).strip():
            raise MarkerFault(f"<{entity}> marks nothing")
        spans.append(Span(start, end))
    first, second = spans
    if first.start < second.start <= first.end < second.end or second.start < first.start <= second.end < first.end:
        raise MarkerFault("the two entities cross")
    return first, second


def are_nested(text: str) -> bool:
    """Whether one entity of a rightly marked text stands inside the other."""
    first, second = find_entities(text)
    inner, outer = (first, second) if first.end - first.start < second.end - second.start else (second, first)
    return outer.start <= inner.start and inner.end <= outer.end


def entity_texts(text: str) -> tuple[str, str]:
    """The words of the two entities of a rightly marked text."""
    first, second = find_entities(text)
    return _without_markers(text[first.start : first.end]), _without_markers(text[second.start : second.end])


def mark_entities(text: str, first: Span, second: Span) -> str:
    """A plain text with two of its stretches marked.

    Raises:
        MarkerFault: a span lies outside the text, holds no letter, or two spans cross.
    """
    for entity, span in zip(ENTITIES, (first, second), strict=True):
        if not 0 <= span.start < span.end <= len(text):
            raise MarkerFault(f"{entity} at {span.start} to {span.end} lies outside the text of {len(text)} letters")
    # At one place what ends stands before what begins; of two that begin the longer one, of two that end the shorter.
    marks = []
    for entity, span in zip(ENTITIES, (first, second), strict=True):
        length = span.end - span.start
        marks.append(((span.start, 1, -length, entity), f" <{entity}> "))
        marks.append(((span.end, 0, length, _behind(entity)), f" </{entity}> "))
    marked, end = [], 0
    for (place, *_), mark in sorted(marks):
        marked += [text[end:place], mark]
        end = place
    return in_one_writing("".join([*marked, text[end:]]))


def _behind(entity: str) -> str:
    """Of two equal spans the one that opens first closes last."""
    return "e2" if entity == "e1" else "e1"


def _without_markers(text: str) -> str:
    return _MARKER.sub(" ", text).strip()
