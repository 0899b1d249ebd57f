"""The verdict: every claim of a study answered together, with its evidence.

A claim between candidates is about the procedure: what training this candidate again, on this training file, would give
on other rows of this kind. It is judged as in `provetune.statistics.crossed` and corrected over the claims of the study
by Holm (`provetune.statistics.questions`). Claims about figures of the machine are about the bundles at hand. Neither
covers drawing another training file.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from provetune.problem.claims import Claim
from provetune.problem.scopes import Scope
from provetune.statistics.caution import FEW
from provetune.statistics.questions import Answer, Question, answer
from provetune.statistics.settling import Needs, settle, settle_equal
from provetune.study.claim_evidence import LEAST_SEEDS, ClaimEvidence, Gathered
from provetune.study.claim_figures import CandidateRows
from provetune.study.claim_folds import FoldsOfRuns
from provetune.study.claim_words import say_conditions, say_failures, say_verdict

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["CandidateRows", "judge_claims", "refuted"]


_UNLIMITED = (-math.inf, math.inf)
_ADDED = "added after somebody had looked at these test rows: judged at the level of look {look}, {alpha:.3g}"


def judge_claims(
    claims: Sequence[Claim],
    candidates: Mapping[str, CandidateRows],
    *,
    metric: str,
    kinds: Mapping[str, str],
    alpha: float,
    smallest: float = 0.01,
    look: int = 1,
    next_alpha: float | None = None,
    confidence: float = 0.95,
    examples: pa.Table | None = None,
    blocks: Mapping[str, Mapping[str, Sequence[float]]] | None = None,
    added: Collection[int] = (),
    limits: Mapping[str, tuple[float, float]] | None = None,
    folds: FoldsOfRuns | None = None,
) -> list[dict[str, Any]]:
    """The verdict on each claim, in the order given.

    Args:
        candidates: what the runs of each said; all were judged on the same rows.
        metric: what a claim without a scope is about.
        kinds: kind of each metric there is.
        alpha: one-sided, of all claims of this look together.
        smallest: the smallest distance from a margin that matters, in units of the metric.
        look: number of the charged look at these test rows, from 1.
        next_alpha: what a further look would have: an inconclusive claim has to be settled at that level.
        confidence: of the bound on failing runs.
        examples: columns ``raw.<name>`` of the same rows, needed by claims about some of them.
        blocks: blocks of each figure of the machine by candidate, measured in turn.
        added: places of claims that were added after somebody had looked at these rows.
        limits: the least and the greatest value of each metric, where they are known: no bound is shown beyond them.
            The verdict is made before anything is cut.
        folds: of cross-validation, where the rows were held out fold by fold.

    Returns:
        One JSON-ready mapping a claim: ``claim``, ``verdict`` (supported, refuted, inconclusive), ``effect``,
        ``bound``, ``interval``, ``p``, ``p_holm``, the same of the mirrored claim (``p_refuted``, ``p_refuted_holm``),
        ``estimand``, ``needs`` (``seeds``, ``rows``, ``both``, ``note``), ``metric``, ``left``, ``right``, ``margin``,
        ``level``, ``alpha``, ``look``, ``notes``, ``added_after_look``, ``words``. What could not be measured is None,
        and ``words`` says why.
    """
    room = ClaimEvidence(candidates, metric, kinds, examples, blocks or {}, folds)
    gathered = _gather(claims, room, metric)
    questions = [_question(claim, one) for claim, one in zip(claims, gathered, strict=True)]
    answers = answer(questions, alpha) if claims else []
    open_claims = sum(each.verdict == "inconclusive" for each in answers)
    judged = []
    for place, (claim, one, each) in enumerate(zip(claims, gathered, answers, strict=True)):
        needs = _needs(claim, one, each, (next_alpha or alpha) / max(1, open_claims), smallest)
        scope = claim.scope or Scope(metric)
        entry = _entry(claim, one, each, needs, scope, (limits or {}).get(scope.metric, _UNLIMITED))
        late = [_ADDED.format(look=look, alpha=alpha)] if place in added else []
        entry["notes"] = [*one.notes, *_say_runs(claim, candidates, confidence), *late]
        entry.update(alpha=alpha, look=look, added_after_look=place in added)
        entry["words"] = say_verdict(entry, claim, one.missing)
        judged.append(entry)
    return judged


def _gather(claims: Sequence[Claim], room: ClaimEvidence, metric: str) -> list[Gathered]:
    """What each claim rests on, in the order given."""
    # Claims of one scope together: their figures are made once, and only theirs are held.
    order = sorted(range(len(claims)), key=lambda place: str(claims[place].scope or Scope(metric)))
    found = {place: room.gather(claims[place]) for place in order}
    return [found[place] for place in range(len(claims))]


def _say_runs(claim: Claim, candidates: Mapping[str, CandidateRows], confidence: float) -> list[str]:
    """What is to be known of the runs that a claim rests on."""
    return [*say_conditions(claim.candidates, candidates), *say_failures(claim.candidates, candidates, confidence)]


def refuted(judged: Sequence[Mapping[str, Any]]) -> bool:
    """Whether any claim was refuted."""
    return any(one.get("verdict") == "refuted" for one in judged)


def _question(claim: Claim, gathered: Gathered) -> Question | None:
    if gathered.evidence is None:
        return None
    return Question(claim.kind, claim.comparator, claim.margin, claim.level, gathered.evidence)


def _within(bound: float | None, claim: Claim, limits: tuple[float, float]) -> float | None:
    """A bound of a score, or of a difference of two, no farther out than these can be."""
    least, most = limits if len(claim.candidates) == 1 else (limits[0] - limits[1], limits[1] - limits[0])
    return None if bound is None else min(max(bound, least), most)


def _entry(
    claim: Claim,
    gathered: Gathered,
    answered: Answer,
    needs: Needs | None,
    scope: Scope,
    limits: tuple[float, float],
) -> dict[str, Any]:
    low, high = (_within(bound, claim, limits) for bound in answered.interval or (None, None))
    return {
        "claim": claim.text,
        "verdict": answered.verdict,
        "effect": _finite(gathered.effect if answered.effect is None else answered.effect),
        "bound": _finite(_within(answered.bound, claim, limits)),
        "interval": [_finite(low), _finite(high)],
        "p": _finite(answered.p),
        "p_holm": _finite(answered.p_holm),
        "p_refuted": _finite(answered.p_refuted),
        "p_refuted_holm": _finite(answered.p_refuted_holm),
        "estimand": gathered.estimand,
        "needs": None if needs is None else _needs_entry(needs),
        "metric": str(scope),
        "left": dict(gathered.left),
        "right": None if gathered.right is None else dict(gathered.right),
        "margin": claim.margin,
        "level": claim.level,
    }


def _needs(claim: Claim, gathered: Gathered, answered: Answer, alpha: float, smallest: float) -> Needs | None:
    """What would settle an inconclusive claim; None where it is settled or that cannot be reckoned."""
    if answered.verdict != "inconclusive":
        return None
    if gathered.few_seeds:
        return Needs(LEAST_SEEDS, None, None, "")
    if gathered.reckoned is None:
        return None
    if claim.kind == "equal":
        needs = settle_equal(gathered.reckoned, claim.level or 0.0, claim.margin, alpha, smallest)
    else:
        edge = claim.margin if claim.level is None else claim.level
        direction: Literal["above", "below"] = "above" if claim.comparator.startswith(">") else "below"
        needs = settle(gathered.reckoned, edge, direction, alpha, smallest)
    return needs if gathered.units >= FEW else _with_enough_rows(needs, gathered.reckoned.rows, gathered.units)


def _needs_entry(needs: Needs) -> dict[str, Any]:
    both = None if needs.both is None else list(needs.both)
    return {"seeds": needs.seeds, "rows": needs.rows, "both": both, "note": needs.note or None}


def _with_enough_rows(needs: Needs, rows: int, units: int) -> Needs:
    """What is needed where the rows concerned are so few that nothing is reckoned from their scatter."""
    least = math.ceil(rows * FEW / units)
    both = None if needs.both is None else (needs.both[0], max(needs.both[1], least))
    words = f"With fewer than {FEW} rows that it is about, little can be shown: try {least:,} test rows at the least."
    return Needs(None, max(needs.rows or 0, least), both, words)


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None
