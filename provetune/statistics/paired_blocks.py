"""Figures of the machine (latency) compared: blocks measured in turn, judged by the median of their differences.

Bounds are order statistics and p-values those of the sign test, which hold whatever the blocks' distribution is;
the two agree exactly. A claim about such figures is about these weights on this machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from provetune.core.errors import UsageError
from provetune.statistics.blocks import LEAST_BLOCKS


@dataclass(frozen=True)
class BlockEstimate:
    """The median of blocks, or of differences between blocks measured in turn.

    Attributes:
        effect: the median.
        figures: every block's figure or difference, ascending.
    """

    effect: float
    figures: tuple[float, ...]

    def lower(self, confidence: float) -> float:
        """The largest block that is below the true median with this confidence; -inf where none is."""
        rank = self._rank(confidence)
        return self.figures[rank] if rank >= 0 else -float("inf")

    def upper(self, confidence: float) -> float:
        """The smallest block that is above the true median with this confidence; inf where none is."""
        rank = self._rank(confidence)
        return self.figures[-1 - rank] if rank >= 0 else float("inf")

    def interval(self, confidence: float) -> tuple[float, float]:
        """Two-sided."""
        one_sided = (1 + confidence) / 2
        return self.lower(one_sided), self.upper(one_sided)

    def p_above(self, margin: float) -> float:
        """Sign test of "the median is above the margin"; blocks that equal it speak against."""
        return _tail(sum(figure <= margin for figure in self.figures), len(self.figures))

    def p_below(self, margin: float) -> float:
        """Sign test of "the median is below the margin"."""
        return _tail(sum(figure >= margin for figure in self.figures), len(self.figures))

    def _rank(self, confidence: float) -> int:
        if not 0 < confidence < 1:
            raise UsageError(f"confidence must be between 0 and 1. Got {confidence} instead.")
        allowed = 1 - confidence
        rank = -1
        while rank + 1 < len(self.figures) and _tail(rank + 1, len(self.figures)) <= allowed:
            rank += 1
        return rank


def estimate_blocks(left: Sequence[float], right: Sequence[float] | None = None) -> BlockEstimate:
    """Blocks of one candidate, or differences of two that were measured in turn, block by block.

    Raises:
        UsageError: fewer than 20 blocks, not as many of one as of the other, or figures that are not finite.
    """
    figures = np.asarray(left, dtype=np.float64)
    if right is not None:
        other = np.asarray(right, dtype=np.float64)
        if other.shape != figures.shape:
            raise UsageError(f"left and right must have as many blocks. Got {len(figures)} and {len(other)} instead.")
        figures = figures - other
    if figures.ndim != 1 or len(figures) < LEAST_BLOCKS:
        raise UsageError(f"Blocks must be at least {LEAST_BLOCKS}. Got {figures.size} instead.")
    if not np.isfinite(figures).all():
        raise UsageError("Blocks must hold finite figures.")
    return BlockEstimate(float(np.median(figures)), tuple(float(one) for one in np.sort(figures)))


def _tail(count: int, blocks: int) -> float:
    """P(at most `count` of `blocks` fair coins)."""
    from scipy.special import bdtr

    return float(bdtr(count, blocks, 0.5))
