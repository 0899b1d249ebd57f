"""Labels in words, for models that are asked by them: ``card_arrival`` is "card arrival"."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from provetune.core.errors import UsageError
from provetune.core.suggest import advice

if TYPE_CHECKING:
    import pyarrow as pa

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_JOINTS = re.compile(r"[_\-./\s]+")


def in_words(name: str) -> str:
    """A label's name as a person would say it."""
    return _JOINTS.sub(" ", _HUMP.sub(" ", name)).strip() or name


def describe_labels(names: Sequence[str], descriptions: Mapping[str, str], template: str) -> list[str]:
    """What is said of each label: its description, or its name in words, put into the template's ``{label}``."""
    return [template.replace("{label}", descriptions.get(name, in_words(name))) for name in names]


def refuse_unknown_labels(given: Mapping[str, object], names: Sequence[str], field: str) -> None:
    """Refuse settings that name labels which the training rows do not have.

    Raises:
        UsageError: one does; suggests the nearest.
    """
    unknown = [name for name in given if names and name not in names]
    if unknown:
        raise UsageError(f"{field} names '{unknown[0]}', which is no label.", hint=advice(unknown[0], names))


def whole_texts(examples: pa.Table) -> list[str]:
    """The texts of N examples, the two of a pair on two lines."""
    texts: list[str] = [text or "" for text in examples.column("text").to_pylist()]
    if "text_pair" not in examples.column_names:
        return texts
    seconds = examples.column("text_pair").to_pylist()
    return [f"{text}\n{second or ''}" for text, second in zip(texts, seconds, strict=True)]
