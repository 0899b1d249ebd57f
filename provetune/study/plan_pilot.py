"""A pilot: finished runs of the same candidates on the same rows, whichever study of the workspace made them.

Only what they said about validation rows is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from provetune.core.errors import ProvetuneError
from provetune.data.drawing import group_keys
from provetune.evaluation.slices import keep_rows, slice_mask
from provetune.problem.claims import Claim
from provetune.problem.reading import read_problem
from provetune.problem.scopes import Scope
from provetune.statistics.caution import FEW
from provetune.study.claim_figures import count_units, cross_figures, make_figures, varies
from provetune.study.failed_runs import fix_check
from provetune.study.plan_rows import ExpectedRows
from provetune.study.plan_scatter import Scatter, observed
from provetune.study.repeated import is_deterministic
from provetune.study.report_runs import FinishedRun, finished_runs
from provetune.study.resolved import PROBLEM, RESOLVED, read_resolved

if TYPE_CHECKING:
    from provetune.statistics.judged import Judged
    from provetune.study.resolved import ResolvedStudy
    from provetune.study.workspace import Workspace

LEAST_RUNS = 2


@dataclass(frozen=True)
class Pilot:
    """What there is of each candidate already.

    Attributes:
        runs: finished runs by candidate, one for each seed.
        seconds: mean training seconds of a run on this processor, for candidates that were trained on it.
    """

    resolved: ResolvedStudy
    expected: ExpectedRows
    runs: Mapping[str, Sequence[FinishedRun]]
    seconds: Mapping[str, float]

    def scatter(self, claim: Claim, scope: Scope) -> Scatter | None:
        """How much a claim's figures scatter on validation rows; None where these runs cannot tell.

        They cannot where a candidate with chance has a single run, where fewer than thirty rows are concerned, or where
        nothing varied at all, which so few rows would make too much of.
        """
        sides = [self._judged(name) for name in claim.candidates]
        candidates = [self.resolved.problem.candidates[name] for name in claim.candidates]
        for runs, candidate in zip(sides, candidates, strict=True):
            if len(runs) < (1 if is_deterministic(candidate, folds=self._folds) else LEAST_RUNS):
                return None
        validation = self.resolved.splits.validation
        try:
            if scope.conditions:
                mask = slice_mask(validation.filter(validation.column("label").is_valid()), scope.conditions)
                sides = [[keep_rows(rows, mask) for rows in runs] for runs in sides]
            figures = [make_figures(runs, scope) for runs in sides]
            found = cross_figures(figures[0], figures[1] if len(figures) > 1 else None)
        except ProvetuneError:  # no such row here, or a metric that these outcomes cannot have
            return None
        if count_units(figures) < FEW or not varies(found, figures[0]):
            return None
        units = round(found.rows * self.expected.test / max(1, validation.num_rows))
        return observed(found, max(1, units))

    @property
    def _folds(self) -> int | None:
        return self.resolved.problem.data.split.folds

    def _judged(self, name: str) -> list[Judged]:
        group = self.expected.group
        validation = self.resolved.splits.validation
        known = group is not None and f"raw.{group}" in validation.column_names
        groups = group_keys(validation, group).to_pylist() if known and group is not None else None
        runs = self.runs.get(name, ())
        if is_deterministic(self.resolved.problem.candidates[name], folds=self._folds):
            runs = runs[:1]
        return [self.resolved.task.judged(run.outcomes, self.resolved.targets, groups) for run in runs]


def find_pilot(resolved: ResolvedStudy, workspace: Workspace, expected: ExpectedRows) -> Pilot:
    """Finished runs of this study's candidates in a workspace. Damaged studies are passed over."""
    check = fix_check(resolved.task, resolved.targets, resolved.splits.validation)
    runs: dict[str, dict[int, FinishedRun]] = {}
    seconds: dict[str, list[float]] = {}
    for folder, record in _same_rows(resolved, workspace):
        for name, twin, seeds in _twins(resolved, folder, record):
            for run in _read_runs(folder, twin, seeds):
                if "same_as" not in run.result["details"] and _same_processor(resolved, record):
                    seconds.setdefault(name, []).append(float(run.result["seconds"]))
                if check.fault(run.result["scores"]) is None:
                    runs.setdefault(name, {}).setdefault(int(run.result["seed"]), run)
    found = {name: list(by_seed.values()) for name, by_seed in runs.items()}
    return Pilot(resolved, expected, found, {name: fmean(times) for name, times in seconds.items()})


def _same_rows(resolved: ResolvedStudy, workspace: Workspace) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Studies of the same task on the same training and validation rows, masked alike."""
    for study_id in workspace.study_ids():
        folder = workspace.study_folder(study_id)
        if not (folder / RESOLVED).exists():
            continue
        try:
            record = read_resolved(folder)
        except ProvetuneError:
            continue
        hashes = record.get("splits", {})
        alike = all(hashes.get(name) == resolved.splits.hashes[name] for name in ("train", "validation"))
        if alike and record.get("task") == resolved.task.name and record.get("targets") == _targets(resolved):
            yield folder, record


def _twins(resolved: ResolvedStudy, folder: Path, record: Mapping[str, Any]) -> Iterator[tuple[str, str, int]]:
    """Candidates of this study with the name they have in that one, and its number of seeds."""
    try:
        problem = read_problem(folder / PROBLEM).problem
    except (ProvetuneError, OSError):
        return
    if problem.data.mask != resolved.problem.data.mask:
        return
    theirs = {name: _identity(each, record["backbones"].get(name)) for name, each in problem.candidates.items()}
    for name, candidate in resolved.problem.candidates.items():
        backbone = resolved.backbones.get(name)
        wanted = _identity(candidate, None if backbone is None else {"content_hash": backbone.content_hash})
        # One of the same name first: its seeds are those that this study would use.
        for twin in sorted(theirs, key=lambda other: other != name):
            if theirs[twin] == wanted:
                yield name, twin, problem.study.seeds
                break


def _identity(candidate: Any, backbone: Mapping[str, Any] | None) -> tuple[Any, ...]:
    settings = {key: value for key, value in candidate.model_dump(mode="json").items() if key != "backbone"}
    return settings, None if backbone is None else backbone["content_hash"]


def _read_runs(folder: Path, candidate: str, seeds: int) -> list[FinishedRun]:
    try:
        return finished_runs(folder, candidate, seeds, "validation")
    except ProvetuneError:
        return []


def _same_processor(resolved: ResolvedStudy, record: Mapping[str, Any]) -> bool:
    return all(record["machine"].get(fact) == resolved.machine.get(fact) for fact in ("processor", "device"))


def _targets(resolved: ResolvedStudy) -> dict[str, Any]:
    """As they come back from JSON, where a tuple is a list."""
    return {
        key: list(value) if isinstance(value, tuple) else value for key, value in resolved.targets.to_json().items()
    }
