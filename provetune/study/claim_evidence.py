"""From judged rows to the evidence for a claim: which metric, which rows, which runs.

Claims between candidates ask about the procedure: seeds and rows both count (`provetune.statistics.crossed`). Means
and scores of label counts are judged by each row's contribution, calibration error by resampled rows, figures of the
machine by blocks that were measured in turn; those last are about the bundles at hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.errors import ProvetuneError, UsageError
from provetune.core.suggest import advice
from provetune.evaluation.slices import keep_rows, slice_mask
from provetune.problem.claims import Claim
from provetune.problem.scopes import Scope
from provetune.statistics.caution import FEW, cautious
from provetune.statistics.crossed import Estimate
from provetune.statistics.judged import Judged, bound_of
from provetune.statistics.overlapping import Weaker
from provetune.statistics.paired_blocks import estimate_blocks
from provetune.statistics.questions import Evidence
from provetune.statistics.resampling import RESAMPLED
from provetune.statistics.share_bounds import of_share
from provetune.study.claim_figures import (
    SCORE,
    CandidateRows,
    Figures,
    count_units,
    cross_figures,
    figure_range,
    is_share,
    make_figures,
    make_score_figures,
    varies,
)
from provetune.study.claim_folds import FoldsOfRuns, estimate_sides, say_folds_note

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array

PROCEDURE, WEIGHTS = "procedure", "these weights"
LEAST_SEEDS = 3


@dataclass(frozen=True)
class Gathered:
    """What there is to judge a claim by.

    Attributes:
        evidence: None where the claim cannot be judged; `missing` then says why.
        reckoned: the crossed estimate behind the evidence, from which can be told what would settle the claim.
        left, right: name, mean and seeds of each side.
        effect: difference or value, where there is one, judged or not.
        few_seeds: it is only seeds that are missing.
        units: independent rows that it rests on; 0 for figures of the machine.
    """

    left: Mapping[str, Any]
    right: Mapping[str, Any] | None
    evidence: Evidence | None = None
    reckoned: Estimate | None = None
    estimand: str = PROCEDURE
    effect: float | None = None
    notes: tuple[str, ...] = ()
    missing: str | None = None
    few_seeds: bool = False
    units: int = 0


@dataclass
class ClaimEvidence:
    """Evidence for claims about candidates that were judged on the same rows.

    Args:
        candidates: by name.
        metric: what a claim without a scope is about.
        kinds: kind of every metric there is (`provetune.core.protocols.Metric.kind`).
        examples: columns ``raw.<name>`` of the same rows in the same order, for claims about some of them.
        blocks: for each candidate the blocks of each figure of the machine, measured in turn.
        folds: of cross-validation, where rows were held out fold by fold.
    """

    candidates: Mapping[str, CandidateRows]
    metric: str
    kinds: Mapping[str, str]
    examples: pa.Table | None = None
    blocks: Mapping[str, Mapping[str, Sequence[float]]] = field(default_factory=dict)
    folds: FoldsOfRuns | None = None
    _scope: Scope | None = None
    _kept: dict[str, Figures] = field(default_factory=dict)

    def gather(self, claim: Claim) -> Gathered:
        """The evidence for one claim. Claims of one scope are best asked for one after another."""
        scope = claim.scope or Scope(self.metric)
        if scope != self._scope:
            self._scope, self._kept = scope, {}
        sides = [_side(name, ()) for name in claim.candidates]
        try:
            self._check_metric(scope)
            if self.kinds.get(scope.metric) == "system":
                return self._measured(claim, scope)
            figures = [self._figures(name, scope) for name in claim.candidates]
        except ProvetuneError as error:
            return Gathered(sides[0], sides[1] if len(sides) > 1 else None, missing=str(error))
        return self._crossed(claim, scope, figures)

    # -- figures of rows ----------------------------------------------------------------------------------

    def _crossed(self, claim: Claim, scope: Scope, figures: list[Figures]) -> Gathered:
        sides = [_side(name, one.scores) for name, one in zip(claim.candidates, figures, strict=True)]
        means = [side["mean"] for side in sides]
        effect = means[0] - means[1] if len(means) > 1 else means[0]
        shown = Gathered(sides[0], sides[1] if len(sides) > 1 else None, effect=effect, notes=self._notes(claim, scope))
        if short := self._too_few(claim):
            return _with(shown, missing=_say_too_few(short, self.candidates), few_seeds=True)
        units = count_units(figures)
        if units == 0:
            return _with(shown, missing=_say_nothing_concerned(claim, scope))
        right = figures[1] if len(figures) > 1 else None
        reckoned = cross_figures(figures[0], right, self._common(claim))
        low, high = figure_range(scope, figures)
        if right is None and is_share(scope.metric):
            # The beta quantiles know what figures without variance are worth: no least variance is needed.
            share = of_share(cross_figures(replace(figures[0], unit=None), None), units)
            evidence = cautious(share, units, low, high, varied=True)
        else:
            evidence = cautious(reckoned, units, low, high, varied=varies(reckoned, figures[0]))
        if units < FEW:
            what = "independent rows" if figures[0].groups is None else "groups of rows"
            few = f"only {units} {what}: judged by a bound that holds whatever their distribution is"
            shown = _with(shown, notes=(*shown.notes, few))
        if self.folds is not None:
            return self._across_folds(claim, scope, figures, shown, evidence, units)
        return _with(shown, evidence=evidence, reckoned=reckoned, units=units)

    def _across_folds(
        self, claim: Claim, scope: Scope, figures: list[Figures], shown: Gathered, evidence: Evidence, units: int
    ) -> Gathered:
        """What is left of evidence where the training rows of folds overlap; what would settle it is not reckoned."""
        sides = [self.candidates[name] for name in claim.candidates]
        try:
            found = estimate_sides(sides, figures, self.folds, self._mask(scope), LEAST_SEEDS) if self.folds else None
        except UsageError as error:
            return _with(shown, missing=str(error))
        if found is None:
            return shown
        weaker = Weaker(found.effect, evidence, found)
        notes = (*shown.notes, say_folds_note(found))
        return _with(shown, evidence=weaker, effect=found.effect, units=units, notes=notes)

    def _figures(self, name: str, scope: Scope) -> Figures:
        if name not in self._kept:
            runs = self._runs(name, scope)
            if scope.metric == SCORE:
                self._kept[name] = make_score_figures(self.candidates[name], self._mask(scope))
            else:
                self._kept[name] = make_figures(runs, scope)
        return self._kept[name]

    def _runs(self, name: str, scope: Scope) -> tuple[Judged, ...]:
        candidate = self.candidates.get(name)
        if candidate is None:
            raise UsageError(f"There is no candidate '{name}'.", hint=advice(name, self.candidates))
        runs = candidate.judged
        if not runs:
            raise UsageError(f"No run of '{name}' passed the check of failed runs, so there is nothing to judge.")
        if len(runs[0]) == 0:
            raise UsageError("There are no test rows to judge claims on.")
        mask = self._mask(scope)
        return runs if mask is None else tuple(keep_rows(rows, mask) for rows in runs)

    def _mask(self, scope: Scope) -> Array | None:
        """Which rows a scope is about, bool (N,); None for all of them."""
        if not scope.conditions:
            return None
        if self.examples is None:
            raise UsageError(f"The rows of '{scope}' are not known.")
        return slice_mask(self.examples, scope.conditions)

    def _common(self, claim: Claim) -> list[tuple[int, int]]:
        """Places of the runs that one side made of the other's, or both of a third's; none where they did not."""
        names = claim.candidates
        origins = [self.candidates[name].derived_from or name for name in names]
        if len(names) < 2 or origins[0] != origins[1]:
            return []
        left, right = (self.candidates[name].by_number() for name in names)
        return [(left[number], right[number]) for number in sorted(left.keys() & right.keys())]

    def _too_few(self, claim: Claim) -> list[str]:
        """Candidates of the claim that chance has a part in and that have too few runs to show it."""
        names = [name for name in claim.candidates if not self.candidates[name].deterministic]
        if names and 0 < len(self._common(claim)) < LEAST_SEEDS:
            return names
        return [name for name in names if len(self.candidates[name].judged) < LEAST_SEEDS]

    def _notes(self, claim: Claim, scope: Scope) -> tuple[str, ...]:
        notes = []
        rows = self._runs(claim.left, scope)[0]
        if scope.conditions:
            notes.append(f"over {len(rows)} rows")
        if scope.metric in RESAMPLED:
            notes.append("calibration error is biased upwards where rows are few")
        elif scope.metric != SCORE:
            notes += bound_of(scope.metric, rows, 0.95, label=scope.value).notes
        if self._common(claim):
            notes.append("one side's runs were made from the other's, so they are compared run by run")
        return tuple(notes)

    # -- figures of the machine ---------------------------------------------------------------------------

    def _measured(self, claim: Claim, scope: Scope) -> Gathered:
        blocks = []
        for name in claim.candidates:
            found = self.blocks.get(name, {}).get(scope.metric)
            if found is None:
                raise UsageError(f"'{scope.metric}' of '{name}' was not measured.")
            blocks.append(found)
        evidence = estimate_blocks(blocks[0], blocks[1] if len(blocks) > 1 else None)
        sides = [_side(name, (float(np.median(one)),)) for name, one in zip(claim.candidates, blocks, strict=True)]
        notes = (
            f"{len(blocks[0])} blocks measured in turn on this machine, of the runs with the median validation score",
        )
        right = sides[1] if len(sides) > 1 else None
        return Gathered(sides[0], right, evidence, None, WEIGHTS, evidence.effect, notes)

    def _check_metric(self, scope: Scope) -> None:
        if scope.metric not in self.kinds:
            raise UsageError(f"There is no metric '{scope.metric}' here.", hint=advice(scope.metric, self.kinds))


def _with(gathered: Gathered, **changes: Any) -> Gathered:
    return Gathered(**{**gathered.__dict__, **changes})


def _side(name: str, scores: Sequence[float]) -> dict[str, Any]:
    return {"name": name, "mean": fmean(scores) if scores else None, "seeds": list(scores)}


def _say_nothing_concerned(claim: Claim, scope: Scope) -> str:
    if scope.metric == "precision":
        names = " nor ".join(claim.candidates)
        return f"No run of {names} answered '{scope.value}' on any test row, so there is no precision to judge."
    return f"No test row is what '{scope}' is about."


def _say_too_few(names: Sequence[str], candidates: Mapping[str, CandidateRows]) -> str:
    counts = " and ".join(f"'{name}' has {len(candidates[name].judged)}" for name in names)
    return (
        f"A claim about the procedure needs at least {LEAST_SEEDS} seeds of each candidate, and {counts}: the luck of "
        "training cannot be told from a difference."
    )
