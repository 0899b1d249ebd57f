"""The rule that Provetune judges by, and the rivals that it must be told apart from, for many studies at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from provetune.statistics.crossed import Components, cross
from provetune.statistics.mixture import mixed_quantile

Array = np.ndarray[Any, np.dtype[Any]]

CONFIDENCE = 0.95
RULES = ("crossed", "normal_rows", "satterthwaite", "seed_t", "rows_only")
SHOULD_FAIL = ("rows_only", "seed_t")
METRICS = {"accuracy": "accuracy", "macro_f1": "macro-F1", "entity_f1": "entity F1"}
# What `crossed` adds to the published rule, each left out by itself; benchmarks/verdict_departures.py compares them.
DEPARTURES = ("crossed", "no_rows_freedom", "no_least_variance", "normal_rows")
RULE_WORDS = {
    "crossed": "crossed, Cochran–Cox (ours)",
    "normal_rows": "the same, rows taken for normal",
    "no_rows_freedom": "without the rows' degrees of freedom",
    "no_least_variance": "without the least variance",
    "satterthwaite": "crossed, Satterthwaite",
    "seed_t": "Welch's t on seed scores",
    "rows_only": "rows only",
}


@dataclass(frozen=True)
class Judged:
    """Studies as `cross` sees them, with what the rivals need beside it; an array a field, (S,)."""

    found: Components
    rows_alone: Array
    rows: int
    unit: float | None = None

    @property
    def effect(self) -> Array:
        return self.found.effect

    def reach(self, rule: str, p: float) -> Array:
        """How far the one-sided bound at level p lies from the effect, by a rule's name."""
        found = self.found
        total = found.seeds_variance + found.rows_variance
        if rule in ("crossed", "no_rows_freedom", "no_least_variance"):
            # As `estimate` has it: the variance is no less than what two rows that differ would bring.
            least = 0.0 if self.unit is None or rule == "no_least_variance" else 2 * (self.unit / self.rows) ** 2
            rows_variance = np.maximum(found.rows_variance, least - found.seeds_variance)
            rows_freedom = np.inf if rule == "no_rows_freedom" else found.rows_freedom
            parts = (found.seeds_variance, rows_variance, found.freedom, rows_freedom)
            return mixed_quantile(p, *parts) * np.sqrt(found.seeds_variance + rows_variance)
        if rule == "normal_rows":
            return mixed_quantile(p, found.seeds_variance, found.rows_variance, found.freedom) * np.sqrt(total)
        if rule == "rows_only":
            return mixed_quantile(p, 0.0, self.rows_alone, np.inf) * np.sqrt(self.rows_alone)
        if rule == "seed_t":
            return mixed_quantile(p, found.seeds_variance, 0.0, found.freedom) * np.sqrt(found.seeds_variance)
        parts = found.seeds_variance**2 / found.freedom + found.rows_variance**2 / (self.rows - 1)
        freedom = np.divide(total**2, parts, out=np.full_like(total, np.inf), where=parts > 0)
        return mixed_quantile(p, total, 0.0, freedom) * np.sqrt(total)


def judge(left: Array, right: Array | None = None, unit: float | None = None) -> Judged:
    """Contributions (S, k, n) of each candidate to what the rules need."""
    by_row = left.mean(axis=-2) - (right.mean(axis=-2) if right is not None else 0.0)
    rows = left.shape[-1]
    found = cross(left, right)
    wide = Components(*(np.asarray(getattr(found, name), dtype=np.float64) for name in found.__dataclass_fields__))
    return Judged(wide, by_row.var(axis=-1, ddof=1).astype(np.float64) / rows, rows, unit)


def tally(
    judged: Judged, truth: float, confidence: float = CONFIDENCE, rules: Sequence[str] = RULES
) -> dict[str, dict[str, Any]]:
    """By rule: how many studies support what is just not true, on each side, cover the truth, and find the effect."""
    two_sided = (1 + confidence) / 2
    counts = {}
    off = judged.effect - truth
    for rule in rules:
        reach, wide = judged.reach(rule, confidence), judged.reach(rule, two_sided)
        counts[rule] = {
            "studies": len(off),
            "above": int((off > reach).sum()),
            "below": int((-off > reach).sum()),
            "covered": int((np.abs(off) <= wide).sum()),
            "found": int((judged.effect > reach).sum()),
            "width": float(wide.sum()),
        }
    return counts


def add_up(portions: list[dict[str, dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """Counts of portions of the studies together."""
    return {
        rule: {name: sum(one[rule][name] for one in portions) for name in portions[0][rule]} for rule in portions[0]
    }


def rates(counts: Mapping[str, Any]) -> dict[str, float]:
    """Counts as rates; the width is the interval's mean half."""
    studies = counts["studies"]
    return {name: counts[name] / studies for name in ("above", "below", "covered", "found", "width")}
