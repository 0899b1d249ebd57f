"""JSON documents whose rows are no objects in a list, as such objects.

Texts with what is said of them, ``[["Ada lives here.", {"entities": [[0, 3, "person"]]}], …]``, are what spaCy learned
from before its version 3, and what people still write for it. FewRel (Han et al. 2018) has the examples of each
relation below its name, ``{"P931": [{"tokens": […], "h": […], "t": […]}, …]}``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

_TEXT, _RELATION = "text", "relation"
_SIDES = ("tokens", "h", "t")


def are_text_pairs(records: Sequence[Any]) -> bool:
    """Whether each entry is a text with an object that does not name a text itself."""
    return bool(records) and all(map(_is_pair, records))


def text_records(pairs: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    """The pairs' objects, each with its text as ``text``."""
    return [{_TEXT: text, **said} for text, said in pairs]


def by_relation(document: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """The examples of a document that has them by relation, the relation in each; None for another document."""
    lists = list(document.values())
    if not lists or not all(isinstance(examples, list) for examples in lists):
        return None
    if not all(isinstance(each, Mapping) and all(name in each for name in _SIDES) for each in chain(*lists)):
        return None
    return [{**each, _RELATION: relation} for relation, examples in document.items() for each in examples]


def _is_pair(record: Any) -> bool:
    return (
        isinstance(record, list)
        and len(record) == 2
        and isinstance(record[0], str)
        and isinstance(record[1], Mapping)
        and _TEXT not in record[1]
    )
