"""A step that could be taken next, and what would have to change in the problem file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Protocol

from provetune.study.next.evidence import Evidence

READING_SECONDS = 900.0
"""A round takes a person a quarter of an hour: to read what came of it and to decide. Assumed, not measured."""
LABELLING_SECONDS = 15.0
"""For a person to give a new row its label. Assumed: 240 rows an hour, short texts."""
CHECKING_SECONDS = 10.0
"""For a person to look at a row again whose label is doubted. Assumed."""


class Order(IntEnum):
    """Which steps come first, whatever they promise: the lower the sooner."""

    BROKEN = 0
    EVIDENCE = 1
    QUESTION = 2
    STOP = 3
    PRIOR = 4
    SMALL = 5


@dataclass(frozen=True)
class Change:
    """What the next problem file has that the last one has not.

    Attributes:
        keep: candidates that stay as they are; all others and all old claims become comments.
        add: new candidates by name: which one each is made from (None for none) and the fields that differ.
        claims: the new claims.
        put: further values, by the keys that lead to them.
        head: lines of comment on top: what this file is for, and what to do before it is run.
    """

    keep: tuple[str, ...]
    claims: tuple[str, ...]
    add: Mapping[str, tuple[str | None, Mapping[str, Any]]] = field(default_factory=dict)
    put: tuple[tuple[tuple[str, ...], Any], ...] = ()
    head: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """A step, its reason, and what is expected of it.

    Attributes:
        kind: name of the file in `provetune.study.next.kinds` that proposed it.
        title: what to do, in a few words.
        reason: why, from this study's evidence, in plain words.
        gain: expected gain in units of the primary metric.
        interval: of the gain; 95 % where it was measured, else what the prior holds for possible.
        machine_seconds: computing that the new problem file takes.
        people_seconds: labelling and checking.
        order: see `Order`.
        source: where the gain comes from: which evidence, or which prior.
        change: None where there is nothing to run.
        table: rows of a CSV file that goes beside the problem file; its name is put where `change` says ``TABLE``.
        details: further figures, JSON-ready.
    """

    kind: str
    title: str
    reason: str
    gain: float
    interval: tuple[float, float]
    machine_seconds: float
    order: Order
    source: str
    people_seconds: float = 0.0
    change: Change | None = None
    table: Sequence[Mapping[str, Any]] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def cost_seconds(self) -> float:
        """The machine's time and people's, with the quarter of an hour that each round takes to read."""
        return self.machine_seconds + self.people_seconds + (READING_SECONDS if self.change is not None else 0.0)

    @property
    def rate(self) -> float:
        """Expected gain an hour."""
        return 3600 * self.gain / self.cost_seconds if self.cost_seconds > 0 else 0.0


TABLE = "<table>"
"""Stands in a `Change` where the name of the step's table belongs."""


class Kind(Protocol):
    """A kind of step: one file in `provetune.study.next.kinds`, which defines ``KIND``."""

    name: str

    def propose(self, evidence: Evidence) -> Sequence[Step]:
        """The steps of this kind that the evidence speaks for; none where it does not."""
