"""Every field of the problem file in a table: what the reference page is made from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from provetune.problem.document import quote
from provetune.problem.field_types import describe_field, section_of
from provetune.problem.syntax import Problem

CANDIDATE_PATH = "candidates.NAME"


class FieldEntry(NamedTuple):
    """One field.

    Attributes:
        path: e.g. ``data.split.test``, ``candidates.NAME.epochs``.
        type: in words, e.g. ``a number between 0 and 1``.
        default: as it would be written in the file; ``required`` where there is none, empty for a section.
        description: what it is for.
    """

    path: str
    type: str
    default: str
    description: str


def field_reference(method_settings: Mapping[str, type[BaseModel]]) -> list[FieldEntry]:
    """Every field, in the order of the syntax; behind a candidate's own fields, those that each method adds.

    Args:
        method_settings: method name → the fields it adds to a candidate.
    """
    entries: list[FieldEntry] = []
    for entry in _fields(Problem, ""):
        entries.append(entry)
        if entry.path == "candidates":
            entries.extend(_fields(get_args(Problem.model_fields["candidates"].annotation)[1], CANDIDATE_PATH))
            for method, settings in sorted(method_settings.items()):
                entries.extend(
                    own._replace(description=f"Only with method {method}: {own.description}")
                    for own in _fields(settings, CANDIDATE_PATH)
                )
    return entries


def _fields(model: type[BaseModel], path: str) -> Iterator[FieldEntry]:
    for name, info in model.model_fields.items():
        here = f"{path}.{name}" if path else name
        below = section_of(info.annotation)
        yield FieldEntry(here, describe_field(info), _default(info), info.description or "")
        if below is not None:
            yield from _fields(below, here)


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    if section_of(info.annotation) is not None or get_origin(info.annotation) is dict:
        return ""
    value: Any = info.get_default(call_default_factory=True)
    return quote(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
