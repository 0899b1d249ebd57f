"""Spans that a record has by label and surface, ``{"name": {"Ada": [[0, 2]]}}``, as a list of spans.

So CLUENER 2020 (Xu et al.) is published, and what was made after it. Its ends are those of the last letter; where a
file counts behind it, the length of the surface tells.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def with_span_lists(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """The record, each of its fields of that form as a list of ``{"start", "end", "label", "text"}``."""
    found = {name: _spans(value) for name, value in record.items() if isinstance(value, Mapping) and _has_spans(value)}
    return {**record, **found} if found else record


def _has_spans(value: Mapping[str, Any]) -> bool:
    """Whether an object is of labels that hold surfaces that hold places, at least one."""
    surfaces = [places for each in value.values() if isinstance(each, Mapping) for places in each.values()]
    return (
        bool(surfaces)
        and all(isinstance(each, Mapping) for each in value.values())
        and all(isinstance(places, list) and places and all(map(_is_place, places)) for places in surfaces)
    )


def _is_place(place: Any) -> bool:
    return isinstance(place, list) and len(place) == 2 and all(type(one) is int for one in place)


def _spans(value: Mapping[str, Any]) -> list[dict[str, Any]]:
    return sorted(
        (
            {"start": start, "end": end if end - start == len(surface) else end + 1, "label": label, "text": surface}
            for label, surfaces in value.items()
            for surface, places in surfaces.items()
            for start, end in places
        ),
        key=lambda span: (span["start"], span["end"], span["label"]),
    )
