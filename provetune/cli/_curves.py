"""Curves drawn in one line of text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

_BARS = "▁▂▃▄▅▆▇█"


def draw_curve(values: Sequence[float], width: int = 40) -> str:
    """The values as a row of bars, lowest to highest; longer rows are averaged down to `width` bars.

    A value that is not a number is a gap. All values equal give a row of the lowest bar.
    """
    shown = _shorten(list(values), width)
    finite = [value for value in shown if math.isfinite(value)]
    if not finite:
        return " " * len(shown)
    low, span = min(finite), max(finite) - min(finite)
    return "".join(_bar(value, low, span) for value in shown)


def _bar(value: float, low: float, span: float) -> str:
    if not math.isfinite(value):
        return " "
    place = (value - low) / span if span > 0 else 0.0
    return _BARS[min(int(place * len(_BARS)), len(_BARS) - 1)]


def _shorten(values: list[float], width: int) -> list[float]:
    if len(values) <= width:
        return values
    edges = [round(index * len(values) / width) for index in range(width + 1)]
    return [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]
