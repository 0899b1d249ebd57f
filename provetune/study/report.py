"""Everything a study has to show, as one document made from what lies in its folder.

Scores are those of validation. What came of the sealed test (scores, verdicts, acceptance) is there only when it is
asked for; it is read from the stored outcomes, which is no look. Slices of the test need its rows' own columns: those
are read by `provetune.study.sealed_test`, which tells the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.core.errors import UsageError
from provetune.core.protocols import Targets, Task
from provetune.problem.reading import read_problem
from provetune.problem.syntax import Problem
from provetune.study.candidate_report import candidate_report
from provetune.study.claim_preview import preview_claims
from provetune.study.errors_worth_reading import errors_worth_reading
from provetune.study.report_runs import SPLITS, FinishedRun, choose_split, finished_runs, is_test_open
from provetune.study.report_slices import slice_reports
from provetune.study.resolved import PROBLEM, read_resolved
from provetune.study.shown_metrics import metric_facts
from provetune.study.splits_store import load_split, split_summary

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.ledger.records import Ledger

__all__ = ["SPLITS", "is_test_open", "report_document"]

# Of the ledger's history, what tells how the test came out.
_TELLS_OF_THE_TEST = ("acceptance", "verdict", "verdicts")


def report_document(
    study_folder: Path, split: str | None = None, *, open_test: bool = False, ledger: Ledger | None = None
) -> dict[str, Any]:
    """The report of a study.

    Args:
        split: ``"validation"`` or ``"test"``: whose scores are shown. Left out: validation; with `open_test` the test.
        open_test: show what came of the sealed test.
        ledger: adds looks at the test and the study's history; slices of the test need it.

    Returns:
        JSON-ready: ``study``, ``split``, ``shows_test``, ``rows``, ``metrics`` (what each is, which way is better, its
        limits), ``candidates`` (by name: ``metrics``, ``labels``, ``confusion``, ``most_confused``, ``calibration``,
        ``tables``, ``curves``, ``trials``, ``seconds``, ``failed``; without classes ``labels``, ``confusion`` and
        ``most_confused`` are empty and ``calibration`` is None), ``slices``, ``errors``, ``accept``, ``claims``,
        ``best``, ``notes``, ``hashes``, ``reproduce``. Unless `open_test`, claims and acceptance have None for
        everything that came of the test, and claims say under ``validation`` what validation rows say of them.

    Raises:
        UsageError: no run has finished, the split is unknown, or the test is not open yet or was not asked for.
        CorruptError: the folder's files are missing or damaged.
    """
    from provetune.tasks import TASKS

    folder = Path(study_folder)
    resolved = read_resolved(folder)
    problem = read_problem(folder / PROBLEM).problem
    split = choose_split(folder, split, open_test)
    task, targets = TASKS.get(resolved["task"]), Targets.from_json(resolved["targets"])
    runs = {name: finished_runs(folder, name, problem.study.seeds, split) for name in problem.candidates}
    if not any(runs.values()):
        raise UsageError("No run of this study has finished yet.", where=str(folder), hint="`provetune run` goes on.")
    final = _final_document(folder)
    examples = _rows_of(folder, split, ledger, resolved)
    candidates = _candidates(problem, resolved, task, targets, runs, folder, final)
    unopened = {} if open_test else _unopened(folder, problem, task, targets, runs, candidates)
    document = {
        "study": resolved["study_id"],
        "name": problem.name,
        "task": task.name,
        "metric": resolved["metric"],
        "metrics": metric_facts(task),
        "classes": task.classes,
        "confidence": problem.study.confidence,
        "split": split,
        "test_open": is_test_open(folder),
        "shows_test": open_test,
        "rows": {name: each["rows"] for name, each in split_summary(folder).items()},
        "label_names": list(targets.names),
        "candidates": candidates,
        "slices": slice_reports(examples, runs, task, targets, resolved["metric"], problem.data.columns),
        "errors": _errors(folder, problem, runs, task, targets, resolved["metric"], split),
        "best": final.get("best"),
        **(_judgements(final) if open_test else unopened),
        "notes": resolved["notes"],
        "hashes": {"data": resolved["data_hash"], "code": resolved["code_hash"], "splits": resolved["splits"]},
        "reproduce": _reproduce(folder, resolved, problem),
    }
    return document if ledger is None else {**document, **_from_ledger(ledger, resolved, open_test)}


def _candidates(
    problem: Problem,
    resolved: Mapping[str, Any],
    task: Task,
    targets: Targets,
    runs: Mapping[str, Sequence[FinishedRun]],
    folder: Path,
    final: Mapping[str, Any],
) -> dict[str, Any]:
    kept = final.get("candidates", {})
    return {
        name: {
            **candidate_report(
                problem.candidates[name], resolved["backbones"].get(name), task, targets, runs[name], folder
            ),
            "failed": list(kept.get(name, {}).get("failed", [])),
        }
        for name in runs
    }


def _judgements(final: Mapping[str, Any]) -> dict[str, Any]:
    """Claims and acceptance as they were judged."""
    parts = {part: final[part] for part in ("alpha", "failed_check") if part in final}
    return {"accept": final.get("accept", []), "claims": final.get("claims", []), **parts}


def _unopened(
    folder: Path,
    problem: Problem,
    task: Task,
    targets: Targets,
    runs: Mapping[str, Sequence[FinishedRun]],
    candidates: Mapping[str, Any],
) -> dict[str, Any]:
    """Acceptance as it was asked, and claims with what validation says of them."""
    unknown: dict[str, Any] = {"value": None, "bound": None, "met": None, "notes": []}
    failed = {name: [run["k"] for run in one["failed"]] for name, one in candidates.items()}
    return {
        "accept": [{"metric": key, "required": str(level), **unknown} for key, level in problem.accept.items()],
        "claims": preview_claims(problem, task, targets, runs, load_split(folder, "validation"), failed),
    }


def _rows_of(folder: Path, split: str, ledger: Ledger | None, resolved: Mapping[str, Any]) -> pa.Table | None:
    """Rows with their raw columns; those of the test only through the one function that tells the ledger."""
    from provetune.study.sealed_test import Seal, read_test_rows

    if split != "test":
        return load_split(folder, split)
    record = None if ledger is None else ledger.find_study(resolved["study_id"])
    if ledger is None or record is None:
        return None
    looks = [look for look in ledger.looks(resolved["splits"]["test"]) if look.study_key == record.key and look.judged]
    if not looks:
        return None
    # The same claims, candidates and seeds as were judged before: written down, and not charged again.
    seal = Seal(ledger.url, record.key, str(looks[-1].judged))
    return read_test_rows(folder, ledger, "columns for the slices of a report", seal)


def _errors(
    folder: Path,
    problem: Problem,
    runs: Mapping[str, Sequence[FinishedRun]],
    task: Task,
    targets: Targets,
    metric: str,
    split: str,
) -> dict[str, Any]:
    if split != "validation":
        runs = {name: finished_runs(folder, name, problem.study.seeds, "validation") for name in runs}
    return errors_worth_reading(load_split(folder, "validation"), runs, task, targets, metric)


def _final_document(folder: Path) -> dict[str, Any]:
    from provetune.study.document import read_document

    return read_document(folder, folder.parent.parent) or {}


def _reproduce(folder: Path, resolved: Mapping[str, Any], problem: Problem) -> dict[str, Any]:
    from provetune.core.seeds import run_seed

    seeds = {
        name: [run_seed(problem.data.split.seed, name, k) for k in range(problem.study.seeds)]
        for name in problem.candidates
    }
    return {
        "command": f"provetune run {resolved['problem_path']}",
        "resolved_problem": str(folder / PROBLEM),
        "version": resolved["code_version"],
        "packages": resolved["packages"],
        "machine": resolved["machine"],
        "seeds": seeds,
        "note": "Equal bit for bit on a CPU with the same threads a trial, precision and instruction set.",
    }


def _from_ledger(ledger: Ledger, resolved: Mapping[str, Any], open_test: bool) -> dict[str, Any]:
    looks = ledger.looks(resolved["splits"]["test"])
    record = ledger.find_study(resolved["study_id"])
    history = [] if record is None else ledger.history(record.key)
    return {
        "looks": {
            "charged": sum(look.charged for look in looks),
            "all": [{"at": look.at, "purpose": look.purpose, "charged": look.charged} for look in looks],
        },
        "history": [event for event in history if open_test or event["what"] not in _TELLS_OF_THE_TEST],
    }
