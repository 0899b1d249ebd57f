"""What a study costs: time and memory of a trial, and of all that are left, on this machine."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from provetune.core.protocols import BY_STEPS
from provetune.study.members import combined_last, combining, members_of
from provetune.study.plan_pilot import Pilot
from provetune.study.repeated import is_deterministic
from provetune.study.trial import read_result
from provetune.study.trial_plan import learns_from, weight_bytes

if TYPE_CHECKING:
    from provetune.problem.syntax import Candidate
    from provetune.study.resolved import ResolvedStudy
    from provetune.study.workspace import Workspace

_FEATURE_BYTES = 4


@dataclass(frozen=True)
class TrialCost:
    """What one run of a candidate takes.

    Attributes:
        seconds: of a run; None where nothing is known.
        once_seconds: of what all runs share.
        judge_seconds: of predicting the test rows with one run's bundle.
        memory_bytes: held by the process at most (on CUDA: by the device).
        bundle_bytes: of what it leaves until the best bundle is chosen.
        basis: how that is known.
        seeds: runs that the study has.
        left: runs that are still to be trained.
        kept: bundles that take space of their own; equal runs share one.
    """

    seconds: float | None
    once_seconds: float
    judge_seconds: float
    memory_bytes: int | None
    bundle_bytes: int | None
    basis: Literal["measured", "finished runs", "unknown"]
    seeds: int
    left: int
    kept: int

    def to_json(self) -> dict[str, Any]:
        return {
            "seconds": None if self.seconds is None else round(self.seconds, 2),
            "once_seconds": round(self.once_seconds, 2),
            "memory_bytes": self.memory_bytes,
            "bundle_bytes": self.bundle_bytes,
            "basis": self.basis,
            "seeds": self.seeds,
            "left": self.left,
        }


def trial_costs(
    resolved: ResolvedStudy, workspace: Workspace, pilot: Pilot, measured: Mapping[str, Mapping[str, Any] | None]
) -> dict[str, TrialCost]:
    """The cost of a run of each candidate.

    Args:
        measured: what `provetune.study.plan_measured` knows of each. Finished runs tell the seconds better.
    """
    found = {
        name: _trial_cost(resolved, workspace, name, pilot.seconds.get(name), measured.get(name))
        for name, candidate in resolved.problem.candidates.items()
        if not members_of(candidate)
    }
    trained: set[tuple[str, int]] = set()
    for name in combined_last(resolved.problem.candidates):
        further = _further_models(resolved.problem.candidates[name]) - trained
        found[name] = _combined_cost(resolved, workspace, name, found, further)
        trained |= further
    return {name: found[name] for name in resolved.problem.candidates}


def total_cost(costs: Mapping[str, TrialCost], workers: int, keep: str) -> dict[str, Any]:
    """Seconds until the study ends with so many trials at a time, and the disk that its bundles take.

    Returns:
        ``seconds`` (None where a candidate's time is not known), ``processes``, ``disk_bytes`` (at most, before the
        best bundle is chosen) and ``kept_bytes`` (afterwards); None where a bundle's size is not known.
    """
    known = [cost for cost in costs.values() if cost.seconds is not None or cost.left == 0]
    sizes = [cost.bundle_bytes for cost in costs.values()]
    disk = kept = None
    if None not in sizes:
        disk = sum((cost.bundle_bytes or 0) * cost.kept for cost in costs.values())
        kept = disk if keep == "all" else max(size or 0 for size in sizes)
    return {
        "seconds": round(_makespan(known, workers), 1) if len(known) == len(costs) else None,
        "processes": workers,
        "disk_bytes": disk,
        "kept_bytes": kept,
    }


def _trial_cost(
    resolved: ResolvedStudy, workspace: Workspace, name: str, seconds: float | None, found: Mapping[str, Any] | None
) -> TrialCost:
    candidate, backbone = resolved.problem.candidates[name], resolved.backbones.get(name)
    rows = {split: getattr(resolved.splits, split).num_rows for split in ("train", "validation", "test")}
    data, labels, rounds = candidate.data, len(resolved.targets.names), resolved.problem.data.split.folds or 1
    if rounds > 1:  # of each round; one fold is held out and one validates
        rows.update(train=rows["train"] * (rounds - 2) // rounds, validation=rows["train"] // rounds)
    share = 1.0 if data is None else data.part_of(rows["train"], labels)
    once = judge = 0.0
    memory, bundle = None, weight_bytes(backbone) or None
    measured = None
    if found is not None:
        bundle = found["bundle_bytes"] or bundle
        if learns_from(candidate.method) in BY_STEPS:
            features = rows["train"] * share * float(candidate.epochs)
            scored = (int(candidate.evaluations) + 1) * rows["validation"]
            steps = features * found["row_seconds"] + scored * found["score_seconds"]
            measured = found["setup_seconds"] + steps + found["finish_seconds"]
            judge, memory = rows["test"] * found["score_seconds"], int(found["memory_bytes"])
        else:
            grown = max(1.0, rows["train"] * share / max(1, found["rows"]))
            measured = found["fit_seconds"] * grown + found["finish_seconds"]
            once = found["feature_seconds"] * (rows["train"] + rows["validation"])  # with folds, of nearly all rows
            judge = found["feature_seconds"] * rows["test"]
            width = 0 if backbone is None else (backbone.width or 0)
            memory = int(found["memory_bytes"]) + _FEATURE_BYTES * width * (rows["train"] + rows["validation"])
    same = is_deterministic(candidate, folds=resolved.problem.data.split.folds)
    seeds = resolved.problem.study.seeds
    return TrialCost(
        seconds=seconds if seconds is not None or measured is None else measured * rounds,
        once_seconds=once,
        judge_seconds=judge,
        memory_bytes=memory,
        bundle_bytes=None if bundle is None else bundle * rounds,
        basis="finished runs" if seconds is not None else "unknown" if measured is None else "measured",
        seeds=seeds,
        left=_left(resolved, workspace, name, same),
        kept=1 if same else seeds,
    )


def _further_models(candidate: Candidate) -> set[tuple[str, int]]:
    """Models that a run is made of besides its members' own: member and number, from 1."""
    runs = int(candidate.extra["runs"])
    return {(member, number) for member in members_of(candidate) for number in range(1, runs)}


def _combined_cost(
    resolved: ResolvedStudy,
    workspace: Workspace,
    name: str,
    found: Mapping[str, TrialCost],
    further: Collection[tuple[str, int]],
) -> TrialCost:
    """What a run costs besides its members' own: the models that are trained for it alone.

    Args:
        further: these models; those that a candidate before it has trained are not among them.
    """
    candidate = resolved.problem.candidates[name]
    method, runs = combining(candidate.method), int(candidate.extra["runs"])
    members = [found[member] for member in members_of(candidate)]
    more = [found[member] for member, _ in further]
    memories = [member.memory_bytes for member in members if member.memory_bytes is not None]
    seeds = resolved.problem.study.seeds
    one = method is not None and method.averages == "weights"
    judged = [member.judge_seconds for member in members]
    sizes = [member.bundle_bytes for member in members]
    own = sizes[:1] if one else sizes * runs
    known = all(member.seconds is not None for member in more)
    return TrialCost(
        seconds=sum(member.seconds or 0.0 for member in more) if known else None,
        once_seconds=0.0,
        judge_seconds=judged[0] if one else runs * sum(judged),
        memory_bytes=max(memories, default=None),
        bundle_bytes=_sum([*own, *(member.bundle_bytes for member in more)]),
        basis=members[0].basis if known else "unknown",
        seeds=seeds,
        left=_left(resolved, workspace, name, False),
        kept=seeds,
    )


def _sum(sizes: Sequence[int | None]) -> int | None:
    return None if None in sizes else sum(size or 0 for size in sizes)


def _left(resolved: ResolvedStudy, workspace: Workspace, name: str, same: bool) -> int:
    """Runs to be trained; equal ones are trained once."""
    places = [workspace.trial_folder(resolved.study_id, name, k) for k in range(resolved.problem.study.seeds)]
    left = sum(read_result(place) is None for place in places)
    return min(left, 1) if same else left


def _makespan(costs: Sequence[TrialCost], workers: int) -> float:
    """When the last of these jobs ends: the longest first, each to whoever is free, as the engine hands them out."""
    jobs = [cost.seconds or 0.0 for cost in costs for _ in range(cost.left)]
    shared = sum(cost.once_seconds for cost in costs if cost.left) / workers
    judged = [cost.judge_seconds for cost in costs for _ in range(cost.kept)]
    return shared + _ends(jobs, workers) + _ends(judged, workers)


def _ends(jobs: Sequence[float], workers: int) -> float:
    free = [0.0] * workers
    for seconds in sorted(jobs, reverse=True):
        heapq.heapreplace(free, free[0] + seconds)
    return max(free)
