"""Numbers as the page writes them: a true minus, no more decimals than they carry."""

from __future__ import annotations

import math
from collections.abc import Iterable

_DECIMALS = 3
_LARGE = 100.0
_SMALL = 0.01
MISSING = "–"


def score(value: float | None) -> str:
    """``0.912``; large figures (milliseconds, bytes) with three digits or as whole numbers."""
    if value is None or not math.isfinite(value):
        return MISSING
    return _minus(f"{value:,.{_decimals(value)}f}")


def spread(mean: float, deviation: float | None) -> str:
    """``0.921 ± 0.004``: a mean and a deviation with as many decimals; the mean alone where there is none."""
    if deviation is None or not math.isfinite(mean):
        return score(mean)
    return f"{score(mean)} ± {deviation:,.{_decimals(mean)}f}"


def cell(value: object, *, tiny: bool = False) -> str:
    """A cell of a task's own table: counts whole, other numbers as scores.

    Args:
        tiny: the column is of figures so small that scores would not tell them apart.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return MISSING if value is None else str(value)
    if isinstance(value, int):
        return _minus(f"{value:,}")
    return _minus(f"{value:.3g}") if tiny and math.isfinite(value) else score(value)


def are_tiny(values: Iterable[object]) -> bool:
    """Whether three decimals would leave little of every number there is."""
    sizes = [abs(value) for value in values if isinstance(value, float) and math.isfinite(value)]
    return 0 < max(sizes, default=0.0) < _SMALL


def signed(value: float | None) -> str:
    """A difference with its sign: ``+0.031``, ``−0.004``."""
    text = score(value)
    return text if value is None or text == MISSING or text.startswith("−") else f"+{text}"


def probability(value: float | None) -> str:
    """A p-value; what is smaller than three decimals show is said to be so."""
    if value is None or not math.isfinite(value):
        return MISSING
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def seconds(value: float | None) -> str:
    """Seconds with one decimal, from a hundred on without."""
    if value is None:
        return MISSING
    return f"{value:,.0f}" if value >= _LARGE else f"{value:.1f}"


def count(value: float) -> str:
    """A count, or the mean of counts where it is not whole."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"


def level(alpha: float) -> str:
    """The confidence that an error rate leaves: ``95%``."""
    return f"{100 * (1 - alpha):.4g}%"


def _decimals(value: float) -> int:
    if abs(value) >= _LARGE:
        return 0
    return 2 if abs(value) >= 2 else _DECIMALS


def _minus(text: str) -> str:
    """A minus that is as wide as a plus, and none before zero."""
    return text.replace("-", "−") if float(text.replace(",", "")) != 0 else text.replace("-", "")
