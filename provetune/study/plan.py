"""Before a study: what its claims can show, what it costs, and what would make a weak claim decidable.

Nothing of the test is looked at but its size. The level is that of the look which the study would take, in the worst
case of Holm's correction: divided by the number of claims.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from provetune.core.errors import UsageError
from provetune.core.processor import usable_cores
from provetune.problem.claims import parse_claim
from provetune.statistics.looks import spend
from provetune.study.interim import plan_stages
from provetune.study.parallelism import Plan, kept_rates, plan_workers
from provetune.study.plan_claims import ClaimPlanner
from provetune.study.plan_costs import TrialCost, total_cost, trial_costs
from provetune.study.plan_measured import Measurements
from provetune.study.plan_pilot import find_pilot
from provetune.study.plan_rows import ExpectedRows
from provetune.study.plan_words import say_open, say_underpowered
from provetune.study.progress import duration
from provetune.study.sealed_test import judged_hash
from provetune.study.trial_plan import needs_backbone, training_bytes
from provetune.study.wear import say_wear
from provetune.study.workspace import Workspace, open_workspace

if TYPE_CHECKING:
    from provetune.ledger.records import Ledger
    from provetune.models.download import Listener as Download
    from provetune.study.resolved import ResolvedStudy

_NOTED_CLAIMS = 5


def plan_study(
    problem: str | Path,
    *,
    overrides: Sequence[str] = (),
    workspace: str | Path | None = None,
    ledger: str | None = None,
    measure: bool = True,
    device: str = "auto",
    on_note: Callable[[str], None] = lambda message: None,
    progress: Download | None = None,
) -> dict[str, Any]:
    """What a study would cost and could show.

    Args:
        problem: the problem file.
        overrides: ``a.b=value`` texts.
        workspace: folder of studies; ``.provetune`` beside the problem file when left out.
        ledger: SQLAlchemy URL of another ledger than the workspace's own.
        measure: try each candidate on a few rows where that was not done before.
        device: as in `provetune.study.run.run`.
        on_note: told what takes seconds, before it is begun.
        progress: told about a backbone's download.

    Returns:
        JSON-ready: ``problem``, ``study``, ``rows`` (of each split), ``folds`` (where there are some: how many; each
        split then is all rows), ``alpha`` (of the look, before correction), ``look``, ``claims`` (``claim``,
        ``metric``, ``detectable``, ``power_if_equal``, ``power_at_smallest_effect``,
        ``aim`` (the distance from its edge at which it is meant to be found), ``aim_from`` (``equal sides``, ``pilot``,
        ``smallest effect``, ``default``), ``underpowered`` (found there less than four times in five; None where
        nobody said where it is meant to be found), ``basis``, ``seed_sd``, ``row_sd``, ``rows``, ``seeds``, ``alpha``,
        ``effect_on_validation``, ``needs``, ``price``, ``words``), ``trials`` (by candidate: ``seconds``,
        ``once_seconds``, ``memory_bytes``, ``bundle_bytes``, ``basis``, ``seeds``, ``left``), ``total`` (``seconds``,
        ``processes``, ``threads``, ``disk_bytes``, ``kept_bytes``) and ``warnings``. What is not known is None. Scores
        and distances are in units of the metric: 0.01 is a point.

    Raises:
        ProblemFileError, DataError: as in `provetune.study.run.run`.
    """
    from provetune.problem.reading import read_problem
    from provetune.study.problem_checks import baseline_of, problem_checks
    from provetune.study.resolve import resolve

    path = Path(problem)
    file = read_problem(path, overrides=overrides, checks=problem_checks(), baseline_of=baseline_of)
    resolved = resolve(file, device=device, progress=progress)
    place = open_workspace(path, workspace, ledger=ledger)
    book = _existing_ledger(place, ledger)
    try:
        look = next_look(resolved, book)
        spread = _spread(resolved, _fixed_threads(resolved, place, book), measure, on_note)
    finally:
        if book is not None:
            book.close()
    measurements = Measurements(resolved, place, spread.threads)
    faults: list[str] = []
    if measure:
        faults += measurements.measure(lambda name: on_note(f"Measuring '{name}' on a few rows"))
    return _document(resolved, place, look, spread, measurements, faults)


def plan_notes(resolved: ResolvedStudy, ledger: Ledger, workspace: Workspace, spread: Plan) -> list[str]:
    """A plan in a few lines, from what is known already: nothing is measured for it.

    Returns:
        None of them where no run is left to train.
    """
    measurements = Measurements(resolved, workspace, spread.threads)
    document = _document(resolved, workspace, next_look(resolved, ledger), spread, measurements, [])
    runs = sum(trial["left"] for trial in document["trials"].values())
    if runs == 0:
        return []
    seconds = document["total"]["seconds"]
    known = "" if seconds is None else f"about {duration(seconds)} "
    unknown = "; `provetune plan` measures how long it takes" if seconds is None else ""
    notes = [f"Plan: {known}for {runs} runs, {spread.workers} at a time{unknown}"]
    notes += [_note(claim) for claim in document["claims"][:_NOTED_CLAIMS]]
    if len(document["claims"]) > _NOTED_CLAIMS:
        weak = sum(claim["underpowered"] is True for claim in document["claims"])
        notes.append(f"Plan: {len(document['claims'])} claims in all, {weak} of them underpowered (`provetune plan`)")
    return notes


def next_look(resolved: ResolvedStudy, ledger: Ledger | None) -> int:
    """Number of the charged look at its test rows that a study takes, or has taken."""
    if ledger is None:
        return 1
    looks = ledger.looks(resolved.splits.hashes["test"])
    charged = {look.judged: look.number for look in looks if look.charged}
    return charged.get(judged_hash(resolved.judged_facts()), len(charged) + 1)


def _document(
    resolved: ResolvedStudy,
    workspace: Workspace,
    look: int,
    spread: Plan,
    measurements: Measurements,
    faults: Sequence[str],
) -> dict[str, Any]:
    problem, splits = resolved.problem, resolved.splits
    expected = ExpectedRows(resolved)
    pilot = find_pilot(resolved, workspace, expected)
    measured = {name: measurements.known(name) for name in problem.candidates}
    costs = trial_costs(resolved, workspace, pilot, measured)
    first = round(1 - problem.study.confidence, 12)
    stage = plan_stages(problem.study, len(problem.claims))[-1]
    alpha = stage.alpha(spend(first, look), problem.study)
    seconds = {name: cost.seconds for name, cost in costs.items()}
    planner = ClaimPlanner(resolved, expected, pilot, alpha / max(1, len(problem.claims)), seconds)
    claims = [planner.plan(parse_claim(text)) for text in problem.claims]
    total = {**total_cost(costs, spread.workers, problem.study.keep), "threads": spread.threads}
    worn = say_wear(look - 1, splits.test.num_rows, first)
    return {
        "problem": problem.name,
        "study": resolved.study_id,
        "rows": {name: getattr(splits, name).num_rows for name in ("train", "validation", "test")},
        **({} if splits.folds is None else {"folds": splits.folds.count}),
        "alpha": alpha,
        "look": look,
        "claims": claims,
        "trials": {name: cost.to_json() for name, cost in costs.items()},
        "total": total,
        "warnings": [
            *faults,
            *([] if worn is None else [worn]),
            *([] if claims else ["The problem has no claims: nothing will be tested, candidates are only ranked."]),
            *(say_underpowered(claim) for claim in claims if claim["underpowered"]),
            *(f"'{claim['claim']}': {claim['words']}" for claim in claims if claim["rows"] == 0),
            *_shortages(resolved, workspace, costs, total),
        ],
    }


def _spread(resolved: ResolvedStudy, fixed: int | None, measure: bool, on_note: Callable[[str], None]) -> Plan:
    """How the trials would be spread over this machine; without measuring, one thread a trial where that is unknown."""
    from provetune.models.cache import cache_folder

    candidates, study = resolved.problem.candidates, resolved.problem.study
    gradient = any(needs_backbone(each.method) for each in candidates.values())
    unknown = resolved.device == "cpu" and study.parallel == "auto" and gradient and not kept_rates(cache_folder())
    if unknown and not measure and fixed is None and usable_cores() > 1:
        fixed = 1
    return plan_workers(
        len(candidates) * study.seeds,
        study.parallel,
        threads=fixed,
        trial_bytes=training_bytes(resolved),
        device=resolved.device,
        cache=cache_folder(),
        gradient=gradient,
        on_measure=lambda: on_note("Measuring how many trials at a time this machine is fastest with"),
    )


def _fixed_threads(resolved: ResolvedStudy, workspace: Workspace, ledger: Ledger | None) -> int | None:
    """Threads of a trial, where this study has begun and so fixed them."""
    known = None if ledger is None else ledger.find_study(resolved.study_id, workspace.identity)
    threads = None if known is None else known.entry.machine.get("threads_per_trial")
    return None if threads is None else int(threads)


def _existing_ledger(workspace: Workspace, asked: str | None) -> Ledger | None:
    """The ledger that looks are counted in; None where no study has made it yet."""
    from provetune.ledger.records import Ledger

    if asked is None and not (workspace.root / "ledger.sqlite").exists():
        return None
    try:
        return Ledger(workspace.ledger_url, create=False)
    except UsageError:
        if asked is not None and not asked.startswith("sqlite"):
            raise
        return None


def _shortages(
    resolved: ResolvedStudy, workspace: Workspace, costs: Mapping[str, TrialCost], total: Mapping[str, Any]
) -> list[str]:
    """What this machine has too little of."""
    found = []
    disk = total["disk_bytes"]
    if disk is not None and disk > (free := shutil.disk_usage(workspace.root).free):
        found.append(f"The bundles take up to {say_bytes(disk)}, and {say_bytes(free)} are free at {workspace.root}.")
    held = sorted((cost.memory_bytes or 0 for cost in costs.values() if cost.left), reverse=True)
    at_once = sum(held[: total["processes"]]) if len(held) > 1 else max(held, default=0)
    room = psutil.virtual_memory().available
    if resolved.device == "cpu" and at_once > room:
        found.append(
            f"{total['processes']} trials at a time hold up to {say_bytes(at_once)}, and {say_bytes(room)} of memory "
            "are free: lower study.parallel or batch_tokens."
        )
    return found


def say_bytes(count: float) -> str:
    """Bytes as a person reads them, e.g. ``"1.4 GB"``."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def _note(claim: Mapping[str, Any]) -> str:
    if claim["underpowered"]:
        return f"Plan: {say_underpowered(claim)}"
    if claim["detectable"] is None:
        return f"Plan: '{claim['claim']}': {claim['words']}"
    return f"Plan: {say_open(claim)} ({claim['basis']})"
