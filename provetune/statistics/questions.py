"""From evidence to the three answers: `supported`, `refuted`, `inconclusive`, for all claims of a study together.

An order claim asks whether the difference is beyond a margin, a level claim whether a value is beyond a level; both are
one one-sided test, and the mirrored test refutes. An equality claim is supported by two one-sided tests (TOST,
Schuirmann 1987) and refuted by twice the smaller of the two outside tests. Holm's correction runs over the claims'
p-values, and over the mirrored ones for themselves. A claim that could not be judged stays in the family: it was asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from provetune.core.errors import UsageError
from provetune.statistics.levels import COMPARATORS
from provetune.statistics.multiplicity import holm

Verdict: TypeAlias = Literal["supported", "refuted", "inconclusive"]


class Evidence(Protocol):
    """What a question needs to know of figures: `Estimate` and `BlockEstimate` have it."""

    @property
    def effect(self) -> float:
        """The difference, or the value."""

    def lower(self, confidence: float) -> float:
        """ "At least this", one-sided."""

    def upper(self, confidence: float) -> float:
        """ "At most this", one-sided."""

    def interval(self, confidence: float) -> tuple[float, float]:
        """Two-sided."""

    def p_above(self, margin: float) -> float:
        """p-value of "the effect is above the margin"."""

    def p_below(self, margin: float) -> float:
        """p-value of "the effect is below the margin"."""


@dataclass(frozen=True)
class Question:
    """One claim, as arithmetic.

    Attributes:
        kind: ``order`` (effect against `margin`), ``level`` (effect against `level`) or ``equal`` (effect within
            `margin` of `level`, of 0 where there is none).
        comparator: ``>``, ``>=``, ``<``, ``<=``; ``~`` for ``equal``.
        margin: signed for ``order``; a half-width, not negative, for ``equal``.
        level: for ``level``, and for ``equal`` where a value and not a difference is meant.
        evidence: what the figures say.
    """

    kind: Literal["order", "level", "equal"]
    comparator: str
    margin: float
    level: float | None
    evidence: Evidence


@dataclass(frozen=True)
class Answer:
    """A claim's verdict with its evidence; numbers are None where nothing could be judged.

    Attributes:
        effect: the difference, or the value.
        bound: one-sided, in the claim's direction; for ``equal`` the one farther from the centre.
        interval: two-sided.
        p: of the claim; `p_holm` is corrected for the study's other claims.
        p_refuted: of the mirrored claim; `p_refuted_holm` likewise.
    """

    verdict: Verdict
    effect: float | None
    bound: float | None
    interval: tuple[float, float] | None
    p: float | None
    p_holm: float | None
    p_refuted: float | None
    p_refuted_holm: float | None


def answer(questions: Sequence[Question | None], alpha: float) -> list[Answer]:
    """Answer all claims of one study at level `alpha`, in the order given.

    Args:
        questions: None stands for a claim that could not be judged; it is inconclusive and counts in the correction.
        alpha: one-sided, of the whole family, for each of supporting and refuting.

    Raises:
        UsageError: a level, kind or comparator that is none.
    """
    if not 0 < alpha < 0.5:
        raise UsageError(f"alpha must be between 0 and 0.5. Got {alpha} instead.")
    for question in questions:
        if question is not None:
            _check(question)
    for_it = [1.0 if question is None else _p_supported(question) for question in questions]
    against = [1.0 if question is None else _p_refuted(question) for question in questions]
    corrected = zip(questions, for_it, holm(for_it), against, holm(against), strict=True)
    return [_answer(*one, alpha=alpha) for one in corrected]


def _answer(
    question: Question | None, p: float, p_holm: float, p_refuted: float, p_refuted_holm: float, alpha: float
) -> Answer:
    if question is None:
        return Answer("inconclusive", None, None, None, None, None, None, None)
    verdict: Verdict = "inconclusive"
    if p_holm <= alpha:
        verdict = "supported"
    elif p_refuted_holm <= alpha:
        verdict = "refuted"
    evidence = question.evidence
    interval = evidence.interval(1 - alpha)
    return Answer(verdict, evidence.effect, _bound(question, alpha), interval, p, p_holm, p_refuted, p_refuted_holm)


def _bound(question: Question, alpha: float) -> float:
    evidence = question.evidence
    if question.kind == "equal":
        centre = question.level or 0.0
        ends = (evidence.lower(1 - alpha), evidence.upper(1 - alpha))
        return max(ends, key=lambda end: abs(end - centre))
    return evidence.lower(1 - alpha) if _upwards(question) else evidence.upper(1 - alpha)


def _p_supported(question: Question) -> float:
    evidence = question.evidence
    if question.kind == "equal":
        centre = question.level or 0.0
        return max(evidence.p_above(centre - question.margin), evidence.p_below(centre + question.margin))
    edge = _edge(question)
    return evidence.p_above(edge) if _upwards(question) else evidence.p_below(edge)


def _p_refuted(question: Question) -> float:
    evidence = question.evidence
    if question.kind == "equal":
        centre = question.level or 0.0
        outside = min(evidence.p_above(centre + question.margin), evidence.p_below(centre - question.margin))
        return min(2 * outside, 1.0)
    edge = _edge(question)
    return evidence.p_below(edge) if _upwards(question) else evidence.p_above(edge)


def _edge(question: Question) -> float:
    return question.level or 0.0 if question.kind == "level" else question.margin


def _upwards(question: Question) -> bool:
    return question.comparator.startswith(">")


def _check(question: Question) -> None:
    if question.kind not in ("order", "level", "equal"):
        raise UsageError(f"A question's kind must be order, level or equal. Got '{question.kind}' instead.")
    if question.kind == "equal":
        if question.margin < 0:
            raise UsageError(f"The margin of an equality must not be negative. Got {question.margin} instead.")
        return
    if question.comparator not in COMPARATORS:
        raise UsageError(f"The comparator must be >, >=, < or <=. Got '{question.comparator}' instead.")
    if question.kind == "level" and question.level is None:
        raise UsageError("A question about a level needs one.")
