"""What a field of the problem file may hold, in words: for errors, help and the reference page."""

from __future__ import annotations

from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo

_NUMBERS = {int: "a whole number", float: "a number"}
_PLURALS = {"text": "texts", "a number": "numbers", "a whole number": "whole numbers"}


def describe(annotation: Any, metadata: tuple[Any, ...] = ()) -> str:
    """A type in words, e.g. ``a number above 0, or auto``; texts without limits are ``text``.

    Args:
        annotation: a type as written in a pydantic model.
        metadata: limits that pydantic took off the annotation (`FieldInfo.metadata`).
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    if section_of(annotation) is not None:
        return "a section"
    if origin is Annotated:
        return describe(arguments[0], (*metadata, *_limits(arguments[1:])))
    if origin in (Union, UnionType):
        choices = [describe(argument, metadata) for argument in arguments if argument is not NoneType]
        if NoneType in arguments:
            choices.append("null")
        return choices[0] if len(choices) == 1 else f"{', '.join(choices[:-1])}, or {choices[-1]}"
    if origin is Literal:
        names = [str(argument) for argument in arguments]
        return names[0] if len(names) == 1 else f"one of {', '.join(names)}"
    if origin is list:
        return f"a list{_items(arguments[0])}"
    if origin is dict:
        return f"a section of names, each with {describe(arguments[1])}"
    if annotation is bool:
        return "true or false"
    if annotation in _NUMBERS:
        return f"{_NUMBERS[annotation]}{_range(metadata)}"
    if annotation is str:
        return _text(metadata)
    return "any value"


def describe_field(info: FieldInfo) -> str:
    """A field's type in words."""
    return describe(info.annotation, tuple(info.metadata))


def choices(annotation: Any) -> list[str]:
    """The words that a type names itself (Literal), to suggest the nearest of them."""
    if get_origin(annotation) is Literal:
        return [str(argument) for argument in get_args(annotation)]
    return [choice for argument in get_args(annotation) for choice in choices(argument)]


def section_of(annotation: Any) -> type[BaseModel] | None:
    """The model that a type is, one that may be left out among them, or None where it is no section."""
    if get_origin(annotation) in (Union, UnionType):
        present = [argument for argument in get_args(annotation) if argument is not NoneType]
        return section_of(present[0]) if len(present) == 1 else None
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return None


def inner(annotation: Any, key: str | int) -> Any:
    """The type of what lies under `key` in a value of this type, or None where nothing can."""
    model = section_of(annotation)
    if model is not None:
        info = model.model_fields.get(str(key))
        return None if info is None else whole(info)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return inner(arguments[0], key)
    if origin in (Union, UnionType):
        return next((found for argument in arguments if (found := inner(argument, key)) is not None), None)
    if origin is dict and isinstance(key, str):
        return arguments[1]
    if origin is list and isinstance(key, int):
        return arguments[0]
    return None


def whole(info: FieldInfo) -> Any:
    """A field's type with its limits put back on."""
    return Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation


def _limits(metadata: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(limit for item in metadata for limit in (item.metadata if isinstance(item, FieldInfo) else (item,)))


def _range(metadata: tuple[Any, ...]) -> str:
    limits: dict[str, Any] = {}
    for item in metadata:
        for kind in ("ge", "gt", "le", "lt"):
            value = getattr(item, kind, None)
            if value is not None:
                limits[kind] = value
    if "ge" in limits and "le" in limits:
        return f" from {limits['ge']} to {limits['le']}"
    if "gt" in limits and "lt" in limits:
        return f" between {limits['gt']} and {limits['lt']}"
    words = {"ge": "of at least", "gt": "above", "le": "of at most", "lt": "under"}
    parts = [f"{words[kind]} {value}" for kind, value in limits.items()]
    return f" {' and '.join(parts)}" if parts else ""


def _text(metadata: tuple[Any, ...]) -> str:
    least = most = None
    for item in metadata:
        if isinstance(item, annotated_types.MinLen):
            least = item.min_length
        if isinstance(item, annotated_types.MaxLen):
            most = item.max_length
    if least == most == 1:
        return "one character"
    if most is not None:
        return f"text of at most {most} characters"
    return "text" if least is None else "text that is not empty"


def _items(annotation: Any) -> str:
    word = describe(annotation)
    if word.startswith("one of "):
        return f" out of {word.removeprefix('one of ')}"
    return f" of {_PLURALS.get(word, word)}"
