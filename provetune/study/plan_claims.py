"""What each claim can show with the seeds and rows that a study will have, and what it would need to be decidable."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from provetune.problem.claims import Claim
from provetune.problem.scopes import Scope
from provetune.statistics.caution import FEW
from provetune.statistics.crossed import Estimate
from provetune.statistics.overlapping import widened
from provetune.statistics.power import POWER, detectable_after, power_after
from provetune.statistics.settling import Needs, settle, settle_equal
from provetune.study.claim_evidence import LEAST_SEEDS
from provetune.study.claim_figures import is_share
from provetune.study.plan_pilot import Pilot
from provetune.study.plan_rows import ExpectedRows
from provetune.study.plan_scatter import Scatter, assume
from provetune.study.plan_words import DEFAULT, EQUAL_SIDES, PILOT, STATED, say_claim
from provetune.study.repeated import is_deterministic

if TYPE_CHECKING:
    from provetune.study.resolved import ResolvedStudy

_ROUNDING = 1e-9


@dataclass(frozen=True)
class ClaimPlanner:
    """Reckons the power of a study's claims.

    Args:
        alpha: one-sided, of one claim in the worst case of the correction.
        seconds: a further run of each candidate takes so long; None where that is not known.
    """

    resolved: ResolvedStudy
    expected: ExpectedRows
    pilot: Pilot
    alpha: float
    seconds: Mapping[str, float | None]

    def plan(self, claim: Claim) -> dict[str, Any]:
        """What a claim can show, JSON-ready; see `provetune.study.plan.plan_study`."""
        scope = claim.scope or Scope(self.resolved.metric)
        chance = [not self._is_deterministic(name) for name in claim.candidates]
        seeds = self.resolved.problem.study.seeds
        rows = self.expected.of(scope)
        kinds = {metric.name: metric.kind for metric in self.resolved.task.metrics}
        system = kinds.get(scope.metric) == "system"
        entry: dict[str, Any] = {
            "claim": claim.text,
            "metric": str(scope),
            "detectable": None,
            "power_if_equal": None,
            "power_at_smallest_effect": None,
            "aim": None,
            "aim_from": None,
            "underpowered": None,
            "basis": None,
            "seed_sd": None,
            "row_sd": None,
            "rows": None if system else rows,
            "seeds": seeds,
            "alpha": self.alpha,
            "effect_on_validation": None,
            "needs": None,
            "price": None,
        }
        scatter = self._scatter(claim, scope, chance, rows) if rows and not system else None
        if scatter is not None:
            entry.update(self._reckon(claim, scope, scatter, any(chance), rows))
        entry["words"] = say_claim(entry, claim, scatter, any(chance))
        return entry

    def _is_deterministic(self, name: str) -> bool:
        problem = self.resolved.problem
        return is_deterministic(problem.candidates[name], folds=problem.data.split.folds)

    def _scatter(self, claim: Claim, scope: Scope, chance: Sequence[bool], rows: int) -> Scatter | None:
        found = self.pilot.scatter(claim, scope)
        if found is not None:
            return found
        weight = self.expected.balance() if scope.metric.startswith("macro_") else 1.0
        return assume(claim, scope, chance, max(1, round(rows * weight)))

    def _reckon(self, claim: Claim, scope: Scope, scatter: Scatter, chance: bool, rows: int) -> dict[str, Any]:
        study = self.resolved.problem.study
        enough = study.seeds >= LEAST_SEEDS or not chance
        span = (1.0 if claim.right is None else 2.0) if is_share(scope.metric) else None
        power = _Power(self._expect(scatter, max(study.seeds, LEAST_SEEDS)), study.seeds, self.alpha, rows, span)
        found: dict[str, Any] = {
            "basis": scatter.basis,
            "seed_sd": scatter.seed_sd,
            "row_sd": scatter.row_sd,
            "effect_on_validation": scatter.effect,
        }
        found["detectable"] = power.reach(_both(claim)) if enough else None
        found["power_if_equal"] = _if_equal(claim, power) if enough else 0.0
        found["power_at_smallest_effect"] = _at_distance(claim, power, study.smallest_effect) if enough else 0.0
        if claim.kind == "level":
            found["power_if_equal"] = None
        aim = aimed_at(claim, study.smallest_effect, scatter.effect)
        found["aim"], found["aim_from"] = aim, self._aim_from(claim, aim, scatter.effect)
        reached = _at_distance(claim, power, aim) if enough else 0.0
        weak = reached < POWER - _ROUNDING
        hopeless = not enough or rows < FEW or _beyond(claim, scope, found["detectable"])
        found["underpowered"] = None if weak and found["aim_from"] == DEFAULT and not hopeless else weak
        if weak:
            needs = self._needs(claim, scatter, aim, rows, enough)
            found["needs"] = {"seeds": needs.seeds, "rows": needs.rows, "both": needs.both and list(needs.both)}
            found["price"] = self._price(claim, needs)
        return found

    def _expect(self, scatter: Scatter, seeds: int, effect: float = 0.0) -> Estimate:
        """What a study of so many seeds would find; rows that are held out in folds say less than rows set aside."""
        expected, folds = scatter.as_estimate(seeds, effect), self.resolved.problem.data.split.folds
        return expected if folds is None else widened(expected, folds, seeds)

    def _aim_from(self, claim: Claim, aim: float, seen: float | None) -> str:
        """Who says at what distance a claim is meant to be found."""
        if claim.kind == "equal" or (claim.kind == "order" and math.isclose(aim, _slack(claim))):
            return EQUAL_SIDES
        if seen is not None and math.isclose(aim, abs(seen - _edge(claim))):
            return PILOT
        return STATED if "smallest_effect" in self.resolved.problem.study.model_fields_set else DEFAULT

    def _needs(self, claim: Claim, scatter: Scatter, aim: float, rows: int, enough: bool) -> Needs:
        """What would find the distance aimed at, rows counted as rows of the whole test."""
        seeds = max(self.resolved.problem.study.seeds, LEAST_SEEDS)
        expected = self._expect(scatter, seeds, _true_effect(claim, aim))
        if claim.kind == "equal":
            found = settle_equal(expected, claim.level or 0.0, claim.margin, self.alpha, 0.0)
        else:
            direction: Literal["above", "below"] = "above" if claim.comparator.startswith(">") else "below"
            found = settle(expected, _edge(claim), direction, self.alpha, 0.0)
        least = math.ceil(self.expected.test * FEW / max(1, rows)) if rows < FEW else 0
        if detectable_after(expected, seeds, expected.rows, self.alpha, _both(claim)) <= aim * (1 + _ROUNDING):
            # The scatter would allow it: only seeds or rows below the least that any verdict needs are missing.
            if not least:
                return Needs(LEAST_SEEDS, None, None, "")
            return Needs(None, least, None, "") if enough else Needs(None, None, (LEAST_SEEDS, least), "")
        scale = self.expected.test / scatter.units
        more = None if found.rows is None or not enough else max(least, math.ceil(found.rows * scale))
        both = None if found.both is None else (found.both[0], max(least, math.ceil(found.both[1] * scale)))
        return Needs(None if least else found.seeds, more, both, "")

    def _price(self, claim: Claim, needs: Needs) -> dict[str, Any]:
        """Training seconds of the runs to add, and rows to label, for each way there is."""
        study, names = self.resolved.problem.study, claim.candidates
        varying = [name for name in names if not self._is_deterministic(name)]
        times = [self.seconds.get(name) for name in varying]
        one = None if any(time is None for time in times) else sum(time for time in times if time is not None)

        def more_runs(seeds: int) -> float | None:
            return None if one is None else round(one * max(0, seeds - study.seeds), 1)

        both = needs.both
        return {
            "seeds": None if needs.seeds is None else {"seconds": more_runs(needs.seeds)},
            "rows": None if needs.rows is None else {"rows": needs.rows - self.expected.test},
            "both": None
            if both is None
            else {"seconds": more_runs(both[0]), "rows": max(0, both[1] - self.expected.test)},
        }


@dataclass(frozen=True)
class _Power:
    """How likely a true distance from an edge is found.

    Where fewer than thirty rows count, a verdict also needs Hoeffding's bound (`provetune.statistics.caution`), so a
    distance must reach past the farther of the two.
    """

    expected: Estimate
    seeds: int
    alpha: float
    rows: int
    span: float | None

    def at(self, distance: float) -> float:
        seeds, rows = max(self.seeds, LEAST_SEEDS), self.expected.rows
        found = power_after(self.expected, distance, seeds, rows, self.alpha)
        if self._bound > 0:
            from scipy.special import ndtr

            error = math.sqrt(self.expected.variance)
            found = min(found, float(ndtr((distance - self._bound) / error)) if error > 0 else 0.0)
        return found

    def reach(self, power: float) -> float:
        """The distance found with this power."""
        from scipy.special import ndtri

        seeds, rows = max(self.seeds, LEAST_SEEDS), self.expected.rows
        found = detectable_after(self.expected, seeds, rows, self.alpha, power)
        return max(found, self._bound + float(ndtri(power)) * math.sqrt(self.expected.variance))

    @property
    def _bound(self) -> float:
        if self.rows >= FEW or self.span is None:
            return 0.0
        return self.span * math.sqrt(math.log(1 / self.alpha) / (2 * max(1, self.rows)))


def aimed_at(claim: Claim, smallest: float, seen: float | None = None) -> float:
    """The distance from its edge at which a claim ought to be found.

    A claim that holds where both sides are equal ("not worse by more than") is meant to be found there; an equality in
    its middle; any other when it is passed by the smallest effect that matters. Where a pilot saw the effect farther
    from the edge, on either side of it, there: then it is to be supported, or refuted.

    Args:
        seen: the effect that a pilot found.
    """
    if claim.kind == "equal":
        return claim.margin
    slack = _slack(claim)
    least = slack if claim.kind == "order" and slack > 0 else smallest
    if seen is None:
        return least
    return max(least, abs(seen - _edge(claim)))


def _beyond(claim: Claim, scope: Scope, detectable: float | None) -> bool:
    """Whether a share would have to leave 0 to 1 (a difference -1 to 1) for the claim to be found."""
    if detectable is None or claim.kind == "equal" or not is_share(scope.metric):
        return False
    needed = _true_effect(claim, detectable)
    return needed > 1 or needed < (0 if claim.right is None else -1)


def _if_equal(claim: Claim, power: _Power) -> float:
    """Power where both sides are equal; of an equality with a number, where they are it."""
    if claim.kind == "equal":
        return max(0.0, 2 * power.at(claim.margin) - 1)
    return power.at(_slack(claim))


def _at_distance(claim: Claim, power: _Power, distance: float) -> float:
    """Power where the truth lies this far on the claim's side of its edge; of an equality, of the nearer edge."""
    if claim.kind != "equal":
        return power.at(distance)
    inside = min(distance, claim.margin)
    return max(0.0, power.at(inside) + power.at(2 * claim.margin - inside) - 1)


def _both(claim: Claim) -> float:
    """Power that each test needs: an equality has two, which must both succeed."""
    return (1 + POWER) / 2 if claim.kind == "equal" else POWER


def _slack(claim: Claim) -> float:
    """How far equal sides lie on the claim's side of its edge; negative where they lie beyond it."""
    return -claim.margin if claim.comparator.startswith(">") else claim.margin


def _edge(claim: Claim) -> float:
    return claim.margin if claim.level is None else claim.level


def _true_effect(claim: Claim, aim: float) -> float:
    """The effect that lies as far on the claim's side of its edge as is aimed at."""
    if claim.kind == "equal":
        return claim.level or 0.0
    return _edge(claim) + (aim if claim.comparator.startswith(">") else -aim)
