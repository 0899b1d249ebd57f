"""Answers printed while they are being written, and what is said besides a text: attributes of the wanted answer."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from provetune.core.errors import UsageError
from provetune.core.suggest import advice

if TYPE_CHECKING:
    from provetune.inference.predictor import Predictor


def check_streaming(texts: Sequence[str] | None, source: str | None, json: bool) -> None:
    """Refuse to stream what has no end, or what must be whole.

    Raises:
        UsageError: texts come from a file or stdin, or one JSON document is wanted.
    """
    if json:
        raise UsageError("--stream and --json were both given.", hint="A JSON document is printed whole.")
    if source is not None or not texts:
        raise UsageError("--stream needs texts on the command line.", hint='provetune predict BUNDLE "text" --stream')


def stream_answers(predictor: Predictor, items: Sequence[Any]) -> None:
    """Print the answer to each item piece by piece, a line break after each."""
    for item in items:
        for piece in predictor.stream(item):
            sys.stdout.write(piece)
            sys.stdout.flush()
        sys.stdout.write("\n")
        sys.stdout.flush()


def with_values(items: Sequence[Any], values: Sequence[str] | None, predictor: Predictor) -> list[Any]:
    """The items with further columns, ``NAME=VALUE`` each, as a row of a file would have them.

    Raises:
        UsageError: one is not written so, or the bundle reads no such column.
    """
    if not values:
        return list(items)
    first, *others = predictor.columns.names
    given: dict[str, str] = {}
    for value in values:
        name, sign, rest = value.partition("=")
        if not sign or not name:
            raise UsageError(f"--set must be NAME=VALUE. Got '{value}' instead.")
        if name not in others:
            hint = advice(name, others) if others else "It reads a text alone."
            raise UsageError(f"This bundle reads no column '{name}' besides the text.", hint=hint)
        given[name] = rest
    return [{first: item, **given} for item in items]
