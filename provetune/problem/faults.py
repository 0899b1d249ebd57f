"""What is wrong with one place of a problem file, before it is known on which line that place is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Keys: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong.

    Attributes:
        keys: the place, e.g. ``("candidates", "full", "epochs")`` or ``("claims", 0)``.
        message: what is wrong, one sentence.
        hint: what to do about it, one sentence.
    """

    keys: Keys
    message: str
    hint: str | None = None


Check: TypeAlias = Callable[[Mapping[str, Any]], Iterable[Fault]]
"""A check that a caller adds: it gets the file's content (overrides applied, every section of the shape that the
syntax asks for, its values as written) and yields what is wrong."""


def spell(keys: Keys) -> str:
    """A place as a person writes it: ``candidates.full.epochs``, ``claims[0]``."""
    text = ""
    for key in keys:
        if isinstance(key, int):
            text += f"[{key}]"
        else:
            text += f".{key}" if text else key
    return text


def show(value: Any, limit: int = 60) -> str:
    """A value as it is named after "Got": texts in quotes, long ones cut."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "a section"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        return f"'{value[:limit]}…'" if len(value) > limit else f"'{value}'"
    text = str(value)
    return f"{text[:limit]}…" if len(text) > limit else text
