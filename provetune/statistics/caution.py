"""Evidence that normal theory would make too much of: few rows, or figures that do not vary at all.

Twenty of twenty right answers have no variance, and so would prove any level; they are compatible with a true accuracy
of 0.86. Two rules guard against that, each a bound that holds whatever the rows' distribution is:

    no variance seen in n rows   a share u of rows that differ stays unseen with probability (1 − u)^n ("rule of three",
                                 Hanley and Lippman-Hand 1983)
    fewer than 30 rows           Hoeffding (1963): P(mean off by g) ≤ exp(−2 n g² / range²)

A p-value is the larger of theirs and the evidence's own, a bound the farther one. With many rows and some variance
neither speaks. This departs from "without variance the sign decides" where rows are few; with the thousand rows of a
usual test set the two agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, isfinite, log, sqrt

from provetune.statistics.questions import Evidence

FEW = 30


@dataclass(frozen=True)
class Cautious:
    """Evidence with the two rules laid over it.

    Attributes:
        inner: what normal theory says.
        units: independent rows (or groups) that it rests on.
        lowest, highest: between which any row's figure lies.
        varied: whether the figures vary at all.
    """

    inner: Evidence
    units: int
    lowest: float
    highest: float
    varied: bool

    @property
    def effect(self) -> float:
        return self.inner.effect

    def lower(self, confidence: float) -> float:
        """ "At least this", one-sided."""
        reach = self._reach(1 - confidence, self.effect - self.lowest)
        return max(self.lowest, min(self.inner.lower(confidence), self.effect - reach))

    def upper(self, confidence: float) -> float:
        """ "At most this", one-sided."""
        reach = self._reach(1 - confidence, self.highest - self.effect)
        return min(self.highest, max(self.inner.upper(confidence), self.effect + reach))

    def interval(self, confidence: float) -> tuple[float, float]:
        """Two-sided."""
        one_sided = (1 + confidence) / 2
        return self.lower(one_sided), self.upper(one_sided)

    def p_above(self, margin: float) -> float:
        """p-value of "the effect is above the margin"."""
        return max(self.inner.p_above(margin), self._p(self.effect - margin, self.effect - self.lowest))

    def p_below(self, margin: float) -> float:
        """p-value of "the effect is below the margin"."""
        return max(self.inner.p_below(margin), self._p(margin - self.effect, self.highest - self.effect))

    def _reach(self, p: float, room: float) -> float:
        """How far the truth may lie on one side; `room` is as far as it can."""
        reach = 0.0
        if not self.varied:
            reach = room * (1 - p ** (1 / self.units))
        if self.units < FEW:
            reach = max(reach, (self.highest - self.lowest) * sqrt(log(1 / p) / (2 * self.units)))
        return reach

    def _p(self, distance: float, room: float) -> float:
        if distance <= 0:
            return 1.0
        chance = 0.0
        if not self.varied:
            chance = (1 - min(1.0, distance / room)) ** self.units if room > 0 else 0.0
        if self.units < FEW:
            span = self.highest - self.lowest
            chance = max(chance, exp(-2 * self.units * (distance / span) ** 2) if span > 0 else 0.0)
        return chance


def cautious(evidence: Evidence, units: int, lowest: float, highest: float, *, varied: bool) -> Evidence:
    """The evidence itself, or with the rules above where they have something to say.

    Raises:
        ValueError: no units, or a range that is none.
    """
    if units < 1 or not (isfinite(lowest) and isfinite(highest)) or lowest > highest:
        raise ValueError(f"units and range must make sense. Got {units} units between {lowest} and {highest} instead.")
    if varied and units >= FEW:
        return evidence
    return Cautious(evidence, units, lowest, highest, varied)
