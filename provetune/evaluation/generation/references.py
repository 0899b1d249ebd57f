"""What a generated text is compared with: one reference a row, or several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

References: TypeAlias = Sequence[str | Sequence[str]]


def reference_lists(predictions: Sequence[str], references: References) -> list[list[str]]:
    """The references of each row as a list with at least one member (N).

    Raises:
        ValueError: the two differ in length, or a row has no reference.
    """
    if len(predictions) != len(references):
        raise ValueError(f"There are {len(predictions)} predictions and {len(references)} references.")
    found = [[given] if isinstance(given, str) else list(given) for given in references]
    for row, given in enumerate(found):
        if not given:
            raise ValueError(f"Row {row} has no reference.")
    return found
