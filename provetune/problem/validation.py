"""A file's content checked against the syntax: every fault in plain words, all at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from provetune.core.suggest import advice, nearest
from provetune.problem.faults import Fault, Keys, show, spell
from provetune.problem.field_types import choices, describe, inner, section_of, whole
from provetune.problem.syntax import Candidate, Problem

_WHOLE_MESSAGE = ("missing", "extra_forbidden", "value_error")


def validate(content: Mapping[str, Any]) -> tuple[Problem | None, list[Fault]]:
    """The problem that `content` describes, or what is wrong with it.

    Values are taken as written: ``seeds: "5"`` is a text and no number.
    """
    content = _without_empty_sections(content, Problem)
    try:
        return Problem.model_validate(content, strict=True), []
    except ValidationError as error:
        return None, _faults_of(error.errors(include_url=False), content)


def keep_sound(value: Any, annotation: Any = Problem) -> Any:
    """`value` without the sections, mappings and lists that are none, so that a check need not look.

    Single values stay as written. None where nothing of it is sound.
    """
    model = section_of(annotation)
    if model is None and get_origin(annotation) is not dict:
        return value if get_origin(annotation) is not list or isinstance(value, list) else None
    if not isinstance(value, Mapping):
        return None
    kept = {}
    for key, item in value.items():
        below = inner(annotation, key)
        sound = item if below is None else keep_sound(item, below)
        if sound is not None or (item is None and not _is_container(below)):
            kept[key] = sound
    return kept


def _is_container(annotation: Any) -> bool:
    return section_of(annotation) is not None or get_origin(annotation) in (dict, list)


def _without_empty_sections(value: Any, annotation: Any) -> Any:
    """A section whose lines are all commented out reads as nothing; it then has its defaults."""
    model = section_of(annotation)
    if model is None or not isinstance(value, Mapping):
        return value
    kept = {}
    for key, item in value.items():
        below = inner(annotation, key)
        if item is not None or not _is_container(below):
            kept[key] = _without_empty_sections(item, below)
    return kept


def _faults_of(errors: list[ErrorDetails], content: Mapping[str, Any]) -> list[Fault]:
    """One fault a place: a union gives an error for each of its types, which say the same together."""
    places: dict[Keys, tuple[ErrorDetails, Any]] = {}
    for error in errors:
        keys, annotation = _locate(error, content)
        places.setdefault(keys, (error, annotation))
    return [
        _fault_at(keys, error, annotation, content)
        for keys, (error, annotation) in places.items()
        if error["type"] in _WHOLE_MESSAGE
        or not any(len(other) > len(keys) and other[: len(keys)] == keys for other in places)
    ]


def _locate(error: ErrorDetails, content: Any) -> tuple[Keys, Any]:
    """Keys of an error in the file, and the type that is asked for there (pydantic adds the names of types).

    Such a name is no key, even where names are free to choose.
    """
    keys: Keys = ()
    annotation: Any = Problem
    for part in error["loc"]:
        below = inner(annotation, part)
        free = section_of(annotation) is None and isinstance(part, str)
        if below is not None and not (free and not (isinstance(content, Mapping) and part in content)):
            keys, annotation = (*keys, part), below
            content = _below(content, part)
    if error["type"] == "extra_forbidden":
        keys = (*keys, error["loc"][-1])
    return keys, annotation


def _below(content: Any, part: str | int) -> Any:
    if isinstance(content, list):
        return content[part] if isinstance(part, int) and part < len(content) else None
    return content.get(part) if isinstance(content, Mapping) else None


def _fault_at(keys: Keys, error: ErrorDetails, annotation: Any, content: Mapping[str, Any]) -> Fault:
    if error["type"] == "missing":
        return Fault(keys, f"'{spell(keys)}' is missing.", _description(keys))
    if error["type"] == "extra_forbidden":
        return unknown_key(keys)
    if error["type"] == "value_error":
        return Fault(keys, f"'{spell(keys)}' {error['ctx']['error']}")
    value = _value_at(content, keys)
    asked = "a section (keys and values)" if section_of(annotation) else describe(annotation)
    return Fault(
        keys, f"'{spell(keys)}' must be {asked}. Got {show(value)} instead.", _hint(annotation, asked, keys, value)
    )


def _hint(annotation: Any, asked: str, keys: Keys, value: Any) -> str | None:
    if section_of(annotation) is Candidate:
        return f"Write it as {keys[-1]}: {{method: full}}."
    if section_of(annotation) is not None or get_origin(annotation) is dict:
        return "Write its keys on the lines below, indented."
    if get_origin(annotation) is list:
        return "Write each item on its own line after '- '."
    if isinstance(value, str):
        guess = nearest(value, choices(annotation))
        return f"Did you mean '{guess}'?" if guess else None
    if isinstance(value, int | float) and "text" in asked:
        return "Put quotes around it."
    return None


def unknown_key(keys: Keys) -> Fault:
    """The fault of a key that the syntax does not have: where it belongs, or the nearest that there is."""
    parent, key = keys[:-1], str(keys[-1])
    place = f"in '{spell(parent)}'" if parent else "at the top level"
    annotation: Any = Problem
    for part in parent:
        annotation = inner(annotation, part)
    model = section_of(annotation)
    siblings = list(model.model_fields) if model else []
    elsewhere = {path: fields for path, fields in _sections(Problem, "") if fields is not model}
    message = f"There is no key '{key}' {place}."
    homes = [path or "the top level" for path, fields in elsewhere.items() if key in fields.model_fields]
    if homes:
        return Fault(
            keys, message, f"It belongs {'at' if homes == ['the top level'] else 'under'} {' or '.join(homes)}."
        )
    if nearest(key, siblings) is None:
        paths = {name: f"{path}.{name}" for path, fields in elsewhere.items() if path for name in fields.model_fields}
        guess = nearest(key, paths)
        if guess:
            return Fault(keys, message, f"Did you mean '{paths[guess]}'?")
    return Fault(keys, message, advice(key, siblings))


def _sections(model: type[BaseModel], path: str) -> Iterator[tuple[str, type[BaseModel]]]:
    """Every section of the file by its path; a candidate's is ``candidates.NAME``."""
    yield path, model
    for name, info in model.model_fields.items():
        here = f"{path}.{name}" if path else name
        annotation = whole(info)
        if get_origin(annotation) is dict:
            annotation, here = inner(annotation, "NAME"), f"{here}.NAME"
        below = section_of(annotation)
        if below is not None:
            yield from _sections(below, here)


def _description(keys: Keys) -> str | None:
    annotation: Any = Problem
    for key in keys[:-1]:
        annotation = inner(annotation, key)
    model = section_of(annotation)
    info = model.model_fields.get(str(keys[-1])) if model else None
    return info.description if info else None


def _value_at(content: Any, keys: Keys) -> Any:
    for key in keys:
        content = content[key]
    return content
