"""Where a value lies on an axis, and which values an axis names."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_LONG = 1e6


@dataclass(frozen=True)
class Scale:
    """An axis from `low` to `high`; low lies under high.

    Attributes:
        least, most: what the value it shows can be at all; the axis names nothing beyond.
    """

    low: float
    high: float
    least: float = -math.inf
    most: float = math.inf

    def place(self, value: float) -> float:
        """Share of the axis at which a value lies, between 0 and 1; what is off the axis lies at its end."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))

    def holds(self, value: float) -> bool:
        """Whether a value is on the axis."""
        return self.low <= value <= self.high

    def ticks(self, most: int = 5) -> list[float]:
        """Round values within the axis, at most `most` of them."""
        step = _round_up((self.high - self.low) / most)
        first = math.ceil(max(self.low, self.least) / step - 1e-9)
        last = math.floor(min(self.high, self.most) / step + 1e-9)
        return [number * step for number in range(first, last + 1)][:most]


def scale_around(
    values: Iterable[float], *, room: float = 0.08, least: float | None = None, most: float | None = None
) -> Scale:
    """An axis that holds every finite value, with some room at both ends; from 0 to 1 where there is none.

    Args:
        least, most: limits of what it shows, None for no limit.
    """
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return Scale(0.0, 1.0)
    low, high = min(known), max(known)
    reach = (high - low) * room or abs(high) * room or room
    bottom, top = (-math.inf if least is None else least), (math.inf if most is None else most)
    return Scale(low - reach, high + reach, bottom, top)


def tick_text(value: float, scale: Scale) -> str:
    """A tick with as many decimals as its axis needs."""
    span = scale.high - scale.low
    if max(abs(scale.low), abs(scale.high)) >= _LONG:
        return f"{value:.4g}".replace("-", "−")
    decimals = max(0, min(6, 2 - math.floor(math.log10(span)))) if span > 0 else 2
    text = f"{value:.{decimals}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text.replace("-", "−")


def _round_up(step: float) -> float:
    """The next step of the form 1, 2, 2.5 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(power * part for part in _STEPS if power * part >= step * (1 - 1e-9))
