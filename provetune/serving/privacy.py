"""Texts as a log may hold them: personal data replaced, and no more of them than is needed to see what was asked."""

from __future__ import annotations

import json
from typing import Any

from provetune.data.privacy import PLACEHOLDERS, mask_text

KINDS = tuple(PLACEHOLDERS)
_LETTERS = 1_000
_TEXTS = 20
_MANY_DIGITS = 6


def masked_texts(body: bytes) -> list[str]:
    """The strings in a request's body, masked, those under keys and long numbers among them; none where it is no JSON.

    Personal data is replaced before a text is cut, so that no half of a number is left over.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return []
    found: list[str] = []
    waiting = [document]
    while waiting and len(found) < _TEXTS:
        _take_apart(waiting.pop(), waiting, found)
    return found


def masked(text: str) -> str:
    """A text without personal data of any kind that has a form, cut to what a log line holds."""
    shown = mask_text(text, KINDS)
    return shown if len(shown) <= _LETTERS else f"{shown[:_LETTERS]}…"


def _take_apart(value: Any, waiting: list[Any], found: list[str]) -> None:
    if isinstance(value, str):
        found.append(masked(value))
    elif isinstance(value, dict):
        waiting.extend(reversed(value.values()))
    elif isinstance(value, list):
        waiting.extend(reversed(value))
    elif isinstance(value, int) and not isinstance(value, bool) and len(str(value)) > _MANY_DIGITS:
        found.append(masked(str(value)))  # a telephone number need not come as a string
