"""Whether a derivative still does what its parent did: the acceptance levels, tested again on the calibration half.

A quality metric holds when two things are so. Its value reaches the level that the problem asks for (where it asks for
one), and the loss against the parent is shown to be small: loss = parent − derivative (turned round where lower is
better), of the same rows, and its one-sided upper bound is at most `compress.tolerance`. The question is about these
weights, so only the luck of the rows counts; the bound is that of `provetune.study.claim_evidence`, with its care for
few rows. Figures of the machine are measured again and must reach their level.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from provetune.core.errors import UsageError
from provetune.problem.claims import parse_claim
from provetune.problem.scopes import Level, Scope, parse_accept_key, parse_level
from provetune.study.claim_evidence import ClaimEvidence
from provetune.study.claim_figures import CandidateRows

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Metric, Task
    from provetune.statistics.judged import Judged
    from provetune.statistics.questions import Evidence

TOLERANCE = 0.01
DERIVATIVE, PARENT, FIRST = "derivative", "parent", "first"
_COMPARE = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}
_INTERVAL = 0.95


@dataclass(frozen=True)
class Judgement:
    """One metric of a derivative beside its parent's and, in a chain, the first bundle's.

    Attributes:
        metric: scope, as in ``accept``.
        required: its level; None for a primary metric that the problem sets none for.
        value, before, first: on the calibration half; `first` is None where parent and first bundle are one.
        low, high: two-sided 95 % interval of value − before; None for figures of the machine.
        loss_bound, first_loss_bound: "at most this much worse" than the parent and the first bundle, one-sided.
        reached: whether the level is reached; True where there is none.
        within: whether every bound of the loss is within the tolerance; True for figures of the machine.
        notes: what to know before trusting it.
    """

    metric: str
    required: str | None
    value: float | None
    before: float | None
    first: float | None = None
    low: float | None = None
    high: float | None = None
    loss_bound: float | None = None
    first_loss_bound: float | None = None
    reached: bool = False
    within: bool = False
    notes: tuple[str, ...] = ()

    @property
    def met(self) -> bool:
        """Whether the metric holds."""
        return self.reached and self.within

    def to_json(self) -> dict[str, Any]:
        """JSON-ready; ``bound`` and ``met`` stand where the acceptance of other bundles has them."""
        return {**asdict(self), "notes": list(self.notes), "bound": self.loss_bound, "met": self.met}

    def words(self, tolerance: float) -> str:
        """What is broken, one sentence; empty where nothing is."""
        if self.value is None:
            return f"'{self.metric}' cannot be judged: {'; '.join(self.notes)}"
        broken = []
        if not self.reached:
            broken.append(f"is {self.value:.4f} and must be {self.required}")
        if not self.within:
            bounds = [each for each in (self.loss_bound, self.first_loss_bound) if each is not None]
            worst = f"{max(bounds):.4f}" if bounds else "any amount"
            broken.append(f"may have lost up to {worst}, {tolerance:g} is allowed")
        return f"'{self.metric}' {' and '.join(broken)}" if broken else ""


class Gate:
    """Judges derivatives by rows that nothing else was decided by.

    Args:
        accept: scope and level, as in the problem file.
        tolerance: largest loss that the bound may leave open, in the metric's units.
        confidence: one-sided.
        examples: the labelled calibration rows with their columns ``raw.<name>``.
    """

    def __init__(
        self,
        task: Task,
        accept: Mapping[str, str],
        *,
        tolerance: float,
        confidence: float,
        examples: pa.Table | None = None,
    ) -> None:
        self.task, self.tolerance, self.confidence, self.examples = task, tolerance, confidence, examples
        self.metrics: dict[str, Metric] = {metric.name: metric for metric in task.metrics}
        levels: dict[Scope, Level | None] = {parse_accept_key(key): parse_level(text) for key, text in accept.items()}
        self.levels = {
            **({} if Scope(task.metrics[0].name) in levels else {Scope(task.metrics[0].name): None}),
            **levels,
        }

    @property
    def measured(self) -> bool:
        """Whether a level is about the machine."""
        return any(self._is_system(scope) for scope in self.levels)

    def judge(
        self,
        derivative: Judged,
        parent: Judged,
        first: Judged | None = None,
        *,
        blocks: Mapping[str, Mapping[str, Sequence[float]]] | None = None,
    ) -> list[Judgement]:
        """Every level, the primary metric first.

        Args:
            derivative, parent, first: judged outcomes of the same labelled rows; `first` is left out where it is the
                parent.
            blocks: figures of each measured block by system metric, of ``derivative`` and ``parent``.
        """
        sides = {DERIVATIVE: derivative, PARENT: parent, **({} if first is None else {FIRST: first})}
        candidates = {name: CandidateRows((rows,), True, derived_from=PARENT) for name, rows in sides.items()}
        kinds = {name: metric.kind for name, metric in self.metrics.items()}
        evidence = ClaimEvidence(candidates, self.task.metrics[0].name, kinds, self.examples, blocks or {})
        return [
            self._judge_machine(scope, level, blocks or {})
            if self._is_system(scope)
            else self._judge_rows(scope, level, evidence, FIRST in sides)
            for scope, level in self.levels.items()
        ]

    def judged_again(self, judgement: Judgement) -> Judgement:
        """What was judged before, by the tolerance of now; its figures are those of then."""
        bounds = [each for each in (judgement.loss_bound, judgement.first_loss_bound) if each is not None]
        scope = parse_accept_key(judgement.metric)
        within = self._is_system(scope) or (bool(bounds) and all(each <= self.tolerance for each in bounds))
        return replace(judgement, within=within)

    def least_bound(self, parent: Judged) -> tuple[str, float] | None:
        """The quality metric that even an unchanged model could not be shown to hold, and its bound of the loss.

        None where the rows suffice for every one.
        """
        for found in self.judge(parent, parent):
            if found.loss_bound is not None and found.loss_bound > self.tolerance:
                return found.metric, found.loss_bound
        return None

    def _judge_rows(self, scope: Scope, level: Level | None, evidence: ClaimEvidence, chained: bool) -> Judgement:
        required = None if level is None else str(level)
        asked = replace(parse_claim(f"{DERIVATIVE} >= {PARENT}"), scope=scope)
        found = evidence.gather(asked)
        if found.evidence is None or found.right is None:
            return Judgement(str(scope), required, None, None, notes=(found.missing or "nothing to judge by",))
        value, before = float(found.left["mean"]), float(found.right["mean"])
        bound, first, first_bound = self._loss(scope, found.evidence), None, None
        if chained:
            other = evidence.gather(replace(asked, right=FIRST))
            if other.evidence is None or other.right is None:
                return Judgement(str(scope), required, None, before, notes=(other.missing or "nothing to judge by",))
            first, first_bound = float(other.right["mean"]), self._loss(scope, other.evidence)
        low, high = found.evidence.interval(_INTERVAL)
        return Judgement(
            str(scope),
            required,
            value,
            before,
            first,
            _finite(low),
            _finite(high),
            _finite(bound),
            None if first_bound is None else _finite(first_bound),
            reached=level is None or _COMPARE[level.comparator](value, level.value),
            within=all(each <= self.tolerance for each in (bound, *([] if first_bound is None else [first_bound]))),
            notes=found.notes,
        )

    def _loss(self, scope: Scope, evidence: Evidence) -> float:
        """How much worse at most, one-sided."""
        higher = self.metrics[scope.metric].higher_is_better if scope.metric in self.metrics else True
        return -evidence.lower(self.confidence) if higher else evidence.upper(self.confidence)

    def _judge_machine(
        self, scope: Scope, level: Level | None, blocks: Mapping[str, Mapping[str, Sequence[float]]]
    ) -> Judgement:
        from statistics import median

        required = None if level is None else str(level)
        try:
            value, before = (median(blocks[side][scope.metric]) for side in (DERIVATIVE, PARENT))
        except KeyError:
            return Judgement(str(scope), required, None, None, notes=(f"'{scope.metric}' was not measured",))
        reached = level is None or _COMPARE[level.comparator](value, level.value)
        note = f"median of {len(blocks[DERIVATIVE][scope.metric])} blocks measured in turn on this machine"
        return Judgement(str(scope), required, value, before, reached=reached, within=True, notes=(note,))

    def _is_system(self, scope: Scope) -> bool:
        return scope.metric in self.metrics and self.metrics[scope.metric].kind == "system"


def judged_outcomes(task: Task, predictor: Any, examples: pa.Table, groups: Sequence[Any] | None) -> tuple[Any, Any]:
    """What a bundle says about labelled rows: its outcomes, and the same as the statistics take them."""
    outcomes = task.outcomes(examples, predictor.answers(examples), predictor.targets)
    return outcomes, task.judged(outcomes, predictor.targets, groups)


def broken(judgements: Sequence[Judgement], tolerance: float) -> list[str]:
    """What does not hold, a sentence each."""
    return [judgement.words(tolerance) for judgement in judgements if not judgement.met]


def tolerance_of(asked: float | None, *written: Mapping[str, Any] | None) -> float:
    """The tolerance: as asked for, else as the first of these resolved problems has it, else 0.01.

    Raises:
        UsageError: it is no positive number.
    """
    if asked is not None and not (math.isfinite(asked) and asked > 0):
        raise UsageError(f"tolerance must be a number above 0. Got {asked!r} instead.")
    if asked is not None:
        return asked
    named = [((problem or {}).get("compress") or {}).get("tolerance") for problem in written]
    return float(next((each for each in named if each is not None), TOLERANCE))


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
