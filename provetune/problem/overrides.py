"""Values given on the command line in place of the file's: ``--set study.seeds=1``."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from provetune.problem.document import SyntaxFault, read_document
from provetune.problem.faults import Fault, Keys, show, spell

_PART = re.compile(r'"(?:[^"\\]|\\.)*"|[^."=]+')
# Separators as they are typed; YAML would read a block, a list or nothing at all out of them.
_SIGNS = re.compile(r"[|,;:&*!%@`#\t-]+")


@dataclass
class Overridden:
    """A file's content with the overrides in it.

    Attributes:
        value: the content; the original is left as it was.
        origins: keys → how the override that set them is written, e.g. ``--set study.seeds``.
        faults: overrides that could not be applied, each with how it is written.
    """

    value: dict[str, Any]
    origins: dict[Keys, str] = field(default_factory=dict)
    faults: list[tuple[str, Fault]] = field(default_factory=list)


def apply_overrides(value: dict[str, Any], overrides: Sequence[str]) -> Overridden:
    """Set each ``a.b=value``; sections that are missing on the way are made.

    A part of the path may stand in double quotes (``accept."recall:a.b"=...``); a list's items are numbered from 0.
    The value is read as YAML, save that signs alone (``|``, ``,``, a tab) are text.
    """
    result = Overridden(copy.deepcopy(value))
    for override in overrides:
        written = override.partition("=")[0]
        try:
            parts, text = _split(override)
            written = override[: len(override) - len(text) - 1]
            keys = _set(result.value, parts, _value_of(text))
        except _NotApplicable as error:
            result.faults.append((f"--set {written}", Fault((), error.message, error.hint)))
        else:
            result.origins[keys] = f"--set {written}"
    return result


class _NotApplicable(Exception):
    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def _split(override: str) -> tuple[list[str], str]:
    parts: list[str] = []
    at = 0
    while match := _PART.match(override, at):
        part = match.group().strip()
        parts.append(str(json.loads(part, strict=False)) if part.startswith('"') else part)
        at = match.end()
        if override.startswith("=", at):
            return parts, override[at + 1 :]
        if not override.startswith(".", at):
            break
        at += 1
    raise _NotApplicable(f"must be KEY=VALUE. Got {show(override)} instead.", "Write it as study.seeds=1.")


def _value_of(text: str) -> Any:
    if text.lstrip().startswith((">", "<")):
        return text.strip()
    if _SIGNS.fullmatch(text):
        return text
    try:
        document = read_document(text)
    except SyntaxFault as error:
        raise _NotApplicable(error.message, error.hint or "") from error
    if document.faults:
        fault = document.faults[0][1]
        raise _NotApplicable(fault.message, fault.hint or "")
    return document.value


def _set(value: dict[str, Any], parts: list[str], new: Any) -> Keys:
    keys: Keys = ()
    here: Any = value
    for depth, part in enumerate(parts):
        last = depth == len(parts) - 1
        if isinstance(here, list):
            key: str | int = _index(here, part, keys)
        elif isinstance(here, dict):
            key = part
            if not last and here.get(key) is None:
                here[key] = {}
        else:
            raise _NotApplicable(f"'{spell(keys)}' is no section. It is {show(here)}.", "Set it as a whole.")
        keys = (*keys, key)
        if last:
            here[key] = new
        else:
            here = here[key]
    return keys


def _index(items: list[Any], part: str, keys: Keys) -> int:
    if not part.isascii() or not part.isdigit() or int(part) >= len(items):
        raise _NotApplicable(
            f"'{spell(keys)}' has no item '{part}'.", f"It has {len(items)}, numbered from 0; or set it as a whole."
        )
    return int(part)
