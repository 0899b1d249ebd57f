"""The searches of a problem: settings found for every candidate that asks, before the study that tests them begins.

Training and validation rows alone are written for it; the test rows stay where they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.core.errors import Refused
from provetune.core.seeds import derive
from provetune.problem.syntax import Candidate
from provetune.study.choices import CandidateChooser
from provetune.study.engines import ENGINES
from provetune.study.objectives import checkpoint_metric, named
from provetune.study.other_rows import save_other_rows
from provetune.study.parallelism import plan_workers
from provetune.study.search.picture import PICTURE, can_draw, draw_search
from provetune.study.search.rounds import ROUND, CandidateSearch, search_id
from provetune.study.search.space import ranges_of
from provetune.study.splits_store import save_splits
from provetune.study.trial_plan import make_spec, needs_backbone, training_bytes

if TYPE_CHECKING:
    from provetune.problem.reading import ProblemFile
    from provetune.study.engines import Listener
    from provetune.study.resolved import ResolvedStudy
    from provetune.study.trial_spec import TrialSpec
    from provetune.study.workspace import Workspace

SEARCHES = "searches"


def searched(resolved: ResolvedStudy) -> list[str]:
    """The candidates that ask for a search."""
    return [name for name, candidate in resolved.problem.candidates.items() if candidate.search is not None]


def search_candidates(
    file: ProblemFile, resolved: ResolvedStudy, workspace: Workspace, listener: Listener
) -> dict[str, dict[str, Any]]:
    """What was found for each candidate that asks: the fields of the best trial on validation rows.

    Cut off at any moment it goes on; done once it says so at once.

    Args:
        resolved: the study as it would be without a search, its rows in memory.

    Raises:
        Refused: no trial of a candidate came to its end.
    """
    found: dict[str, dict[str, Any]] = {}
    for name in searched(resolved):
        listener({"event": "phase", "phase": "search", "message": f"Searching settings of '{name}'"})
        document = _search(file, resolved, name, workspace, listener)
        if document["number"] is None:
            first = next((one["error"] for one in document["trials"] if one["error"]), "none was finished")
            raise Refused(
                f"No trial of the search of '{name}' came to its end: {first}",
                where=file.where("candidates", name, "search"),
                hint="Change the ranges, and run again.",
            )
        found[name] = dict(document["settings"])
        told = ", ".join(f"{field} {_shown(value)}" for field, value in found[name].items())
        listener({"event": "note", "message": f"Search of '{name}': {told} ({len(document['trials'])} trials)."})
        if picture := document.get("picture"):
            listener({"event": "note", "message": f"What mattered in it: {picture}"})
    return found


def _shown(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _search(
    file: ProblemFile, resolved: ResolvedStudy, name: str, workspace: Workspace, listener: Listener
) -> dict[str, Any]:
    from provetune.models.methods import METHODS

    written = file.problem.candidates[name]
    settled = resolved.problem.candidates[name]
    ranges = ranges_of(written, settled, METHODS.get(settled.method))
    plan = resolved.problem.study.search
    identity = {
        "candidate": settled.model_dump(mode="json"),
        "task": resolved.problem.task,
        "options": dict(resolved.problem.options),
        "rows": resolved.data_hash,
        "ranges": {field: each if isinstance(each, list) else each.model_dump() for field, each in ranges.items()},
        "plan": plan.model_dump(mode="json"),
        "seed": resolved.problem.data.split.seed,
    }
    folder = workspace.root / SEARCHES / f"{name}-{search_id(identity)}"
    splits = resolved.splits
    save_splits(folder, replace(splits, test=splits.test.slice(0, 0)))
    save_other_rows(folder, resolved.other_rows)
    seed = derive(resolved.problem.data.split.seed, "search", name)
    workers = plan_workers(
        ROUND,
        resolved.problem.study.parallel,
        trial_bytes=training_bytes(resolved),
        device=resolved.device,
        gradient=needs_backbone(settled.method),
    )
    make = partial(_trial_of, file, resolved, name, folder, workspace, seed, workers.threads)
    search = CandidateSearch(name, folder, ranges, plan, seed, make)
    with ENGINES.get("local").open(workers.workers, workers.threads, folder / "logs") as pool:
        document = search.carry_out(pool, listener)
    return {**document, "picture": _drawn(document, resolved, name, folder)}


def _drawn(document: Mapping[str, Any], resolved: ResolvedStudy, name: str, folder: Path) -> str | None:
    """Where the picture of a search lies; None where it cannot be drawn."""
    if not can_draw() or document["number"] is None:
        return None
    path = folder / PICTURE
    if not path.exists():
        objectives = named(resolved.problem.candidates[name].objective)
        metric = checkpoint_metric(resolved.task, objectives)
        draw_search(document, metric.name, path, higher_is_better=metric.higher_is_better)
    return str(path)


def _trial_of(
    file: ProblemFile,
    resolved: ResolvedStudy,
    name: str,
    folder: Path,
    workspace: Workspace,
    seed: int,
    threads: int,
    settings: Mapping[str, Any],
    place: Path,
) -> TrialSpec:
    """The trial that tries these settings: the candidate settled anew with them."""
    candidate = with_found(file.problem.candidates[name], settings)
    problem = resolved.problem.model_copy(update={"candidates": {name: candidate}})
    chooser = CandidateChooser(
        file, problem, resolved.task, resolved.targets, resolved.splits, resolved.device, None, []
    )
    chooser.settle(name)
    study = replace(
        resolved,
        problem=problem.model_copy(update={"candidates": chooser.candidates}),
        backbones=chooser.backbones,
        settings=chooser.settings,
    )
    return make_spec(study, name, 0, seed, study_folder=folder, folder=place, cache=workspace.cache, threads=threads)


def with_found(candidate: Candidate, settings: Mapping[str, Any]) -> Candidate:
    """The candidate with what a search found; what was searched stays written, as part of what the study is."""
    return Candidate.model_validate({**candidate.model_dump(exclude_unset=True), **settings})


def file_with_found(file: ProblemFile, found: Mapping[str, Mapping[str, Any]]) -> ProblemFile:
    """The problem with what was found for its candidates."""
    candidates = {
        name: with_found(candidate, found[name]) if name in found else candidate
        for name, candidate in file.problem.candidates.items()
    }
    return replace(file, problem=file.problem.model_copy(update={"candidates": candidates}))
