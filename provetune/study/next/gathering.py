"""From a study's folder to its evidence: finished runs, curves, stored verdicts, and what cheap probes find."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.core.errors import UsageError
from provetune.core.protocols import BY_STEPS, Method, Metric, Targets, Task, TrialRecord
from provetune.problem.syntax import AUTO, Candidate, Problem
from provetune.study.event_log import read_events
from provetune.study.failed_runs import FailedCheck, fix_check, sort_runs
from provetune.study.members import members_of
from provetune.study.next.evidence import CandidateEvidence, Curve, Evidence, RunEvidence, Suspicion
from provetune.study.next.learning_curve import CurvePoint
from provetune.study.repeated import is_deterministic
from provetune.study.report_runs import FinishedRun, finished_runs
from provetune.study.resolved import PROBLEM, read_resolved
from provetune.study.splits_store import load_split, split_summary
from provetune.study.trial import EVENTS

if TYPE_CHECKING:
    from provetune.study.next.cheap_learner import CheapLearner

_TEXTS_COST = 1.0


def gather_evidence(
    folder: Path, *, probe: bool = True, on_note: Callable[[str], None] = lambda text: None
) -> Evidence:
    """What the study in `folder` has shown. Test rows and test outcomes are not opened.

    Args:
        folder: of a study that has ended or was interrupted.
        probe: also fit a cheap candidate on parts of the training rows: seconds, a minute for many rows.
        on_note: told what takes seconds, before it is begun.

    Raises:
        UsageError: no run has finished.
        CorruptError: the folder's files are missing or damaged.
    """
    from provetune.problem.reading import read_problem
    from provetune.tasks import TASKS

    resolved = read_resolved(folder)
    problem = read_problem(folder / PROBLEM).problem
    task = TASKS.get(resolved["task"])
    metric = _metric_of(problem, task, folder)
    targets = Targets.from_json(resolved["targets"])
    runs = {name: finished_runs(folder, name, problem.study.seeds, "validation") for name in problem.candidates}
    # What is made of others gains by what its members gain: steps begin with these.
    runs = {name: found for name, found in runs.items() if found and not members_of(problem.candidates[name])}
    if not runs:
        raise UsageError("No run of this study has finished yet.", where=str(folder), hint="`provetune run` goes on.")
    check = fix_check(task, targets, load_split(folder, "validation"))
    candidates = {
        name: _candidate(name, problem.candidates[name], found, resolved, task, targets, check)
        for name, found in runs.items()
    }
    final = _final(folder)
    best = max(candidates, key=lambda name: (bool(candidates[name].passed), candidates[name].score))
    curves = _measured_curves(candidates, metric.name)
    suspicion: Suspicion | None = None
    notes = [] if problem.accept else ["The problem has no levels under 'accept', so nothing says when it is solved."]
    if probe:
        curves, suspicion, told = _probed(folder, problem, resolved, candidates, best, metric.name, curves, on_note)
        notes += told
    return Evidence(
        study=resolved["study_id"],
        metric=metric.name,
        best=best,
        candidates=candidates,
        rows={name: each["rows"] for name, each in split_summary(folder).items()},
        label_names=targets.names,
        seeds=problem.study.seeds,
        smallest=problem.study.smallest_effect,
        confidence=problem.study.confidence,
        claims=tuple(final.get("claims", [])),
        accept=tuple(final.get("accept", [])),
        curves=curves,
        suspicion=suspicion,
        larger=_larger(candidates, resolved, problem.language),
        notes=tuple(notes),
    )


def _metric_of(problem: Problem, task: Task, folder: Path) -> Metric:
    """The primary metric, where `next` knows studies of this kind."""
    if problem.data.split.folds is not None:
        hint = "Read `provetune report`; or run it without data.split.folds."
        raise UsageError("`next` does not know cross-validated studies yet.", where=str(folder), hint=hint)
    metric = task.metrics[0]
    if not metric.higher_is_better:
        raise UsageError(f"'{metric.name}' falls where things get better, which `next` does not know yet.")
    return metric


def _candidate(
    name: str,
    candidate: Candidate,
    found: Sequence[FinishedRun],
    resolved: Mapping[str, Any],
    task: Task,
    targets: Targets,
    check: FailedCheck,
) -> CandidateEvidence:
    from provetune.models.methods import METHODS

    method = METHODS.get(candidate.method)
    scores = [dict(run.result["scores"]) for run in found]
    for run, each in zip(found, scores, strict=True):
        each.update({} if each else task.score(run.outcomes, targets))
    records = [TrialRecord(name, run.k, 0, str(run.folder), each) for run, each in zip(found, scores, strict=True)]
    faults = sort_runs(records, {}, check).failed
    return CandidateEvidence(
        name,
        candidate,
        method.learns_from,
        tuple(_run(run, each[check.metric], faults.get(run.k)) for run, each in zip(found, scores, strict=True)),
        tuple(task.judged(run.outcomes, targets) for run in found if run.k not in faults),
        is_deterministic(candidate),
        _usual(candidate, method, resolved["backbones"].get(name), found),
        _use_cost(resolved["backbones"].get(name)),
    )


def _usual(
    candidate: Candidate, method: Method, backbone: Mapping[str, Any] | None, found: Sequence[FinishedRun]
) -> dict[str, Any]:
    """What training would be set to where the file says nothing."""
    from provetune.study.training_choices import size_of, training_choices

    if method.learns_from not in BY_STEPS or backbone is None:
        return {}
    open_fields = candidate.model_copy(update={"learning_rate": AUTO, "epochs": AUTO, "weight_decay": AUTO})
    rows = int(found[0].result.get("details", {}).get("training_rows") or 1)
    length = candidate.max_length if isinstance(candidate.max_length, int) else 1
    folder = Path(str(backbone["path"]))
    # The folder may have moved since; what is looked for is then the rate of a small model.
    size = size_of(backbone.get("width"), folder) if folder.is_dir() else None
    return training_choices(open_fields, method, length, rows=rows, size=size)


def _run(run: FinishedRun, score: float, fault: str | None) -> RunEvidence:
    losses: list[float] = []
    evaluations: list[tuple[int, Mapping[str, float]]] = []
    planned = 1
    for event in read_events(run.folder / EVENTS):
        if event["event"] == "step":
            losses.append(float(event["loss"]))
        elif event["event"] == "evaluated":
            evaluations.append((int(event["step"]), event["scores"]))
        elif event["event"] == "started":
            planned = int(event["steps"])
    details = run.result.get("details", {})
    rows = int(details.get("training_rows") or details.get("features") or 0)
    seconds = float(run.result["seconds"])
    return RunEvidence(score, tuple(losses), tuple(evaluations), planned, rows, seconds, fault)


def _use_cost(backbone: Mapping[str, Any] | None) -> float:
    """Megabytes of weights that answering takes, one for a method without a backbone."""
    if backbone is None:
        return _TEXTS_COST
    files = Path(backbone["path"]).glob("*.safetensors")
    return _TEXTS_COST + sum(path.stat().st_size for path in files) / 1e6


def _final(folder: Path) -> dict[str, Any]:
    """The study's document; its claims and levels were judged at a look that was taken then."""
    from provetune.study.document import read_document

    return read_document(folder, folder.parent.parent) or {}


def _measured_curves(candidates: Mapping[str, CandidateEvidence], metric: str) -> dict[str, Curve]:
    """Candidates that differ in nothing but their share of the rows make a curve, named after the largest."""
    import numpy as np

    from provetune.statistics.judged import contributions_of

    groups: dict[str, list[CandidateEvidence]] = {}
    for one in candidates.values():
        if one.judged:
            groups.setdefault(_apart_from_share(one.candidate), []).append(one)
    curves = {}
    for group in groups.values():
        ordered = sorted(group, key=lambda one: one.training_rows)
        if len({one.training_rows for one in ordered}) < 3:
            continue
        points = [
            CurvePoint(one.training_rows, np.stack([contributions_of(metric, rows) for rows in one.judged]))
            for one in ordered
        ]
        curves[ordered[-1].name] = Curve(ordered[-1].name, tuple(points), measured=True)
    return curves


def _apart_from_share(candidate: Candidate) -> str:
    """What makes two candidates alike but for their share; epochs follow the rows where nothing else is said."""
    fields = candidate.model_dump(mode="json")
    fields["data"] = {**(fields.get("data") or {}), "share": None}
    for name in ("epochs", "evaluations"):
        fields.pop(name, None)
    kept = {key: value for key, value in fields["data"].items() if value not in (None, False, [])}
    return json.dumps({**fields, "data": kept}, sort_keys=True)


def _probed(
    folder: Path,
    problem: Problem,
    resolved: Mapping[str, Any],
    candidates: Mapping[str, CandidateEvidence],
    best: str,
    metric: str,
    curves: dict[str, Curve],
    on_note: Callable[[str], None],
) -> tuple[dict[str, Curve], Suspicion | None, list[str]]:
    from provetune.study.next.cheap_learner import MOST_ROWS, find_learner
    from provetune.study.next.probes import probe_curve, probe_labels

    order = sorted(candidates, key=lambda name: (name != best, -candidates[name].score))
    learner: CheapLearner | None = find_learner(folder, problem, resolved, order, _threads(folder, candidates))
    if learner is None:
        return curves, None, []
    notes = []
    if learner.train.num_rows >= MOST_ROWS:
        notes.append(f"Labels and the learning curve were looked at on a draw of {MOST_ROWS:,} training rows.")
    if best not in curves:
        on_note(f"Measuring how '{learner.name}' grows with the training rows")
        if (curve := probe_curve(learner, metric)) is not None:
            curves = {**curves, learner.name: curve}
    on_note(f"Looking for doubtful labels with '{learner.name}'")
    return curves, probe_labels(learner.settled(), metric), notes


def _threads(folder: Path, candidates: Mapping[str, CandidateEvidence]) -> int:
    """Threads that the study's trials computed with, as their logs say."""
    for name in candidates:
        for event in read_events(folder / "trials" / f"{name}-0" / EVENTS):
            if event["event"] == "started":
                return int(event.get("details", {}).get("threads", 1))
    return 1


def _larger(
    candidates: Mapping[str, CandidateEvidence], resolved: Mapping[str, Any], language: str
) -> tuple[str, float] | None:
    """The smallest model of the catalogue for this language that is larger than any that was tried."""
    from provetune.models.catalogue import encoders

    tried = [resolved["backbones"][name]["name"] for name in candidates if resolved["backbones"].get(name)]
    known = {entry.name: entry for entry in encoders()}
    if any(name not in known for name in tried):
        return None
    base = max((known[name].parameters for name in tried), default=0)
    code = language.lower().split("-")[0]
    fitting = [entry for entry in known.values() if code in entry.languages and entry.parameters > base]
    if not fitting:
        return None
    smallest = min(fitting, key=lambda entry: entry.parameters)
    return smallest.name, smallest.parameters / base if base else 1.0
