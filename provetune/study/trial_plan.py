"""The trials of a study: which there are, what each is told, and in which order they are worth starting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from provetune.core.minimised import KeepsWeights
from provetune.core.protocols import BY_STEPS, WITHOUT_BACKBONE
from provetune.study.engines import Job
from provetune.study.fold_trials import fold_specs, folds_of, with_own_targets
from provetune.study.frozen_features import piece_jobs
from provetune.study.machine import package_versions
from provetune.study.members import BORROWED, combining, members_of, seed_of, shares_of
from provetune.study.objectives import named
from provetune.study.repeated import is_deterministic
from provetune.study.resolved import ResolvedStudy
from provetune.study.splits_store import split_summary
from provetune.study.trial_spec import TrialSpec
from provetune.study.workspace import Workspace

# Training comes first, then the baseline's fit, then the features that several trials wait for.
_GRADIENT_COST, _TEXTS_COST, _PIECE_COST, _FIT_COST, _REPEATED_COST = 1_000.0, 100.0, 50.0, 10.0, 1.0

_TRAINING_BYTES_PER_WEIGHT_BYTE = 7
"""fp32 master, two moments, gradient, working copy and best state, over the fp32 file."""
_AVERAGE_BYTES_PER_WEIGHT_BYTE = 2
"""A moving average, and the weights that it stands in for while it is scored."""


def make_specs(resolved: ResolvedStudy, workspace: Workspace, threads: int) -> list[TrialSpec]:
    """What each run of each candidate is told, in the order of the problem file."""
    folder = workspace.study_folder(resolved.study_id)
    shared = _record(resolved, folder)
    split, group = resolved.problem.data.split, resolved.splits.group
    return [
        replace(
            make_spec(
                resolved,
                name,
                k,
                seed,
                study_folder=folder,
                folder=workspace.trial_folder(resolved.study_id, name, k),
                cache=workspace.cache,
                threads=threads,
                record=shared,
            ),
            folds=folds_of(split, k, group),
        )
        for name in resolved.problem.candidates
        for k, seed in enumerate(resolved.seeds(name))
    ]


def make_spec(
    resolved: ResolvedStudy,
    name: str,
    k: int,
    seed: int,
    *,
    study_folder: Path,
    folder: Path,
    cache: Path,
    threads: int,
    record: Mapping[str, Any] | None = None,
) -> TrialSpec:
    """What one run of candidate `name` is told.

    Args:
        study_folder: where its rows lie.
        folder: its own.
        record: what its bundle keeps of the study; nothing where no bundle is made.
    """
    return TrialSpec(
        study_folder=str(study_folder),
        folder=str(folder),
        cache=str(cache),
        task=resolved.problem.task,
        candidate=name,
        k=k,
        seed=seed,
        settings=_settings(resolved, name),
        method_settings=resolved.settings[name].model_dump(mode="json"),
        targets=resolved.targets.to_json(),
        backbone=_backbone(resolved, _lender(resolved, name) or name),
        record=record or {},
        study=resolved.problem.study.model_dump(mode="json"),
        device=resolved.device,
        threads=threads,
        problem_folder=str(resolved.path.parent.absolute()),
    )


def make_jobs(specs: list[TrialSpec], resolved: ResolvedStudy) -> list[Job]:
    """Jobs of these trials; before those that learn from features, the pieces that they share, and before those that
    are made of others or of folds, these and the models that are trained for them alone."""
    pieces: dict[str, tuple[str, ...]] = {}
    jobs: list[Job] = []
    waiting = {spec.id for spec in specs}
    more = {**_more_specs(specs, resolved), **_round_specs(specs, resolved)}
    for name, spec in [*more.items(), *((spec.id, spec) for spec in specs)]:
        after: tuple[str, ...] = ()
        whole = spec.folds is not None and spec.fold is None
        if learns_from(spec.settings["method"]) == "features" and not whole:
            if spec.candidate not in pieces:
                made = _piece_jobs(spec)
                pieces[spec.candidate] = tuple(job.id for job in made)
                jobs += made
            after = pieces[spec.candidate]
        if _repeats(spec) and f"{spec.candidate}-0" in waiting:
            after = (*after, f"{spec.candidate}-0")
        if combining(spec.settings["method"]) is not None:
            made_of = (_share_id(share.member, spec.k, share.number) for share in shares_of(spec))
            after = tuple(job for job in made_of if job in waiting or job in more)
        if whole:
            after = tuple(each.id for each in fold_specs(spec))
        jobs.append(Job(name, "member" if name in more else "train", spec.to_json(), _cost(spec, resolved), after))
    return jobs


def _more_specs(specs: list[TrialSpec], resolved: ResolvedStudy) -> dict[str, TrialSpec]:
    """Models that are trained for ensembles and soups alone, by the job's id; two that name one share it."""
    found: dict[str, TrialSpec] = {}
    for spec in specs:
        for share in shares_of(spec) if combining(spec.settings["method"]) is not None else ():
            if share.number == 0:
                continue
            made = make_spec(
                resolved,
                share.member,
                spec.k,
                seed_of(resolved.seeds(share.member)[spec.k], share.number),
                study_folder=Path(spec.study_folder),
                folder=share.folder,
                cache=Path(spec.cache),
                threads=spec.threads,
                record=spec.record,
            )
            # Trackers name a run by candidate and number, which are the member's own run's.
            found[_share_id(share.member, spec.k, share.number)] = replace(made, study={**made.study, "trackers": []})
    return found


def _round_specs(specs: list[TrialSpec], resolved: ResolvedStudy) -> dict[str, TrialSpec]:
    """The rounds of cross-validated runs, by the job's id."""
    return {
        each.id: with_own_targets(each, resolved.task, resolved.splits.train)
        for spec in specs
        for each in fold_specs(spec)
    }


def _share_id(member: str, k: int, number: int) -> str:
    return f"{member}-{k}" if number == 0 else f"{member}-{k}.{number}"


def learns_from(method: str) -> str:
    """What a method learns from: texts, features or weights."""
    from provetune.models.methods import METHODS

    return METHODS.get(method).learns_from


def needs_backbone(method: str) -> bool:
    """Whether a method computes with a backbone."""
    return learns_from(method) not in WITHOUT_BACKBONE


def weight_bytes(backbone: Any) -> int:
    """Size of a backbone's weight files; 0 for none."""
    if backbone is None:
        return 0
    files = [*Path(backbone.path).glob("*.safetensors"), *Path(backbone.path).glob("*.bin")]
    return sum(path.stat().st_size for path in files)


def training_bytes(resolved: ResolvedStudy) -> int:
    """Memory that the largest trial of a study holds beyond the libraries, at most."""
    return max((_held_bytes(resolved, name) for name in resolved.backbones), default=0)


def _held_bytes(resolved: ResolvedStudy, name: str) -> int:
    candidate = resolved.problem.candidates[name]
    copies = _TRAINING_BYTES_PER_WEIGHT_BYTE + (0 if candidate.ema is None else _AVERAGE_BYTES_PER_WEIGHT_BYTE)
    copies += sum(each.kept_weights for each in named(candidate.objectives) if isinstance(each, KeepsWeights))
    return copies * weight_bytes(resolved.backbones.get(name))


def _repeats(spec: TrialSpec) -> bool:
    """Whether a run is the same as its candidate's first one."""
    return spec.k > 0 and is_deterministic(spec.settings, folds=spec.folds)


def _piece_jobs(spec: TrialSpec) -> list[Job]:
    summary = split_summary(Path(spec.study_folder))
    # With folds both are all rows.
    rows = {name: summary[name]["rows"] for name in ("train", "validation") if name == "train" or spec.folds is None}
    return [
        Job(f"{spec.candidate}:{each['split']}:{each['start']}", "features", each, _PIECE_COST)
        for each in piece_jobs(spec, rows)
    ]


def _cost(spec: TrialSpec, resolved: ResolvedStudy) -> float:
    """Expected work: backbone size times passes over the rows. Only the order of costs matters."""
    if _repeats(spec) or (spec.folds is not None and spec.fold is None):
        return _REPEATED_COST
    kind = learns_from(spec.settings["method"])
    if kind not in BY_STEPS:
        costs = {"features": _FIT_COST, "labels": _GRADIENT_COST, "members": _FIT_COST}
        return costs.get(kind, _TEXTS_COST)
    size = weight_bytes(resolved.backbones.get(spec.candidate)) / 1e6
    rows, labels = resolved.splits.train.num_rows, len(resolved.targets.names)
    share = 1.0 if spec.data is None else spec.data.part_of(rows, labels)
    return _GRADIENT_COST + size * float(spec.settings["epochs"]) * share


def _record(resolved: ResolvedStudy, folder: Path) -> dict[str, Any]:
    """What every bundle of the study keeps about it."""
    problem, summary = resolved.problem, split_summary(folder)
    return {
        "study": resolved.study_id,
        "problem": problem.model_dump(mode="json"),
        "columns": problem.data.columns.model_dump(mode="json"),
        "data": {name: {"rows": each["rows"], "hash": each["hash"]} for name, each in summary.items()},
        "code_hash": resolved.code_hash,
        "packages": package_versions(),
    }


def _lender(resolved: ResolvedStudy, name: str) -> str | None:
    """The member whose backbone and encoding a candidate has: the first one of a soup."""
    method = combining(resolved.problem.candidates[name].method)
    if method is None or method.averages != "weights":
        return None
    return members_of(resolved.problem.candidates[name])[0]


def _settings(resolved: ResolvedStudy, name: str) -> dict[str, Any]:
    written = resolved.problem.candidates[name].model_dump(mode="json")
    lender = _lender(resolved, name)
    if lender is None:
        return written
    return {**written, **{field: getattr(resolved.problem.candidates[lender], field) for field in BORROWED}}


def _backbone(resolved: ResolvedStudy, candidate: str) -> dict[str, Any] | None:
    found = resolved.backbones.get(candidate)
    if found is None:
        return None
    return {
        "name": found.name,
        "path": str(found.path),
        "family": found.family,
        "content_hash": found.content_hash,
        "source": found.source,
        "licence": found.licence,
    }
