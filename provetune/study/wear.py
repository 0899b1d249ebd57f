"""How worn test rows are: looks charged, error rate spent, and what fresh rows would give back.

Whoever looks again knows what the last look showed, so look j has only α / 2^(j − 1). (Blum and Hardt, "The Ladder",
2015, bound the same leak by showing coarser scores; halving α leaves the scores as they are.) Only rows that nobody
has seen restore a test.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from provetune.ledger.entries import Look
from provetune.statistics.looks import spend, worn_out

_POWER = 0.8
_NORMAL = NormalDist()


@dataclass(frozen=True)
class Wear:
    """The state of one set of test rows.

    Attributes:
        rows: how many there are.
        looks: looks charged so far.
        spent: error rate spent on them.
        next_alpha: error rate that the next charged look has.
        worn_out: whether fresh rows should be asked for.
        restoring_rows: fresh rows in place of these that give everything back: the whole α, at the first look's power.
        equal_rows: fresh rows that alone decide as much as these can at the next look.
    """

    rows: int
    looks: int
    spent: float
    next_alpha: float
    worn_out: bool
    restoring_rows: int
    equal_rows: int

    def to_json(self) -> dict[str, Any]:
        return {**self.__dict__, "words": self.words}

    @property
    def words(self) -> str:
        """The state in a sentence or two."""
        times = "once" if self.looks == 1 else f"{self.looks} times"
        if self.looks == 0:
            return f"The {self.rows:,} test rows are still sealed: nothing was judged on them."
        said = f"The {self.rows:,} test rows were judged {times}; the next claims get α {self.next_alpha:.2g}."
        if not self.worn_out:
            return said
        return (
            f"{said} They are worn out: {self.restoring_rows:,} fresh labelled rows restore the test, and "
            f"{self.equal_rows:,} alone would decide as much as these still can."
        )


def say_wear(looks: int, rows: int, alpha: float) -> str | None:
    """That test rows are worn out by so many charged looks, and what restores them; None while they are not.

    Raises:
        UsageError: alpha is none.
    """
    wear = _wear(looks, rows, alpha)
    return wear.words if wear.worn_out else None


def measure_wear(looks: Sequence[Look], rows: int, alpha: float) -> Wear:
    """How worn test rows are by the looks at them.

    Args:
        looks: every look at these rows, free ones too.
        rows: how many there are (groups, where rows come in families).
        alpha: 1 − confidence of the study that asks; earlier looks are taken to have had the same.

    Raises:
        UsageError: alpha is none.
    """
    return _wear(sum(look.charged for look in looks), rows, alpha)


def _wear(charged: int, rows: int, alpha: float) -> Wear:
    following = spend(alpha, charged + 1)
    return Wear(
        rows=rows,
        looks=charged,
        spent=sum(spend(alpha, number) for number in range(1, charged + 1)),
        next_alpha=following,
        worn_out=worn_out(charged),
        restoring_rows=rows,
        equal_rows=math.ceil(rows * (_reach(alpha) / _reach(following)) ** 2),
    )


def _reach(alpha: float) -> float:
    """Standard errors between a margin and the difference found four times in five; rows go with its square."""
    return _NORMAL.inv_cdf(1 - alpha) + _NORMAL.inv_cdf(_POWER)
