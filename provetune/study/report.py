"""Everything a study has to show, as one document made from what lies in its folder.

Scores are those of validation until the study's test is open; then they are made from the stored test outcomes.
Showing them again is no look at the test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.errors import UsageError
from provetune.core.protocols import Targets, Task
from provetune.problem.reading import read_problem
from provetune.problem.syntax import Problem
from provetune.study.curves import learning_curve
from provetune.study.document import DOCUMENT, spread
from provetune.study.reliability import calibration_report
from provetune.study.resolved import PROBLEM, read_resolved
from provetune.study.splits_store import split_summary
from provetune.study.trial import BUNDLE, EVENTS, TEST, VALIDATION, read_result

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.ledger.records import Ledger
    from provetune.statistics.rows import JudgedRows

SPLITS = ("validation", "test")


@dataclass(frozen=True)
class _Run:
    """One finished run: its result and what it said about the rows of the split shown."""

    folder: Path
    result: Mapping[str, Any]
    outcomes: pa.Table


def report_document(study_folder: Path, split: str | None = None, *, ledger: Ledger | None = None) -> dict[str, Any]:
    """The report of a study.

    Args:
        study_folder: folder of the study.
        split: ``"validation"`` or ``"test"``; the test where it is open, when left out.
        ledger: adds looks at the test and the study's history.

    Returns:
        JSON-ready: ``study``, ``split``, ``rows``, ``candidates`` (by name: ``metrics``, ``labels``, ``confusion``,
        ``most_confused``, ``calibration``, ``curves``, ``trials``, ``seconds``), ``accept``, ``claims``, ``best``,
        ``notes``, ``hashes``, ``reproduce``.

    Raises:
        UsageError: no run has finished, the split is unknown, or the test is not open yet.
        CorruptError: the folder's files are missing or damaged.
    """
    from provetune.tasks import TASKS

    folder = Path(study_folder)
    resolved = read_resolved(folder)
    problem = read_problem(folder / PROBLEM).problem
    split = _choose_split(folder, split)
    task, targets = TASKS.get(resolved["task"]), Targets.from_json(resolved["targets"])
    runs = {name: _finished_runs(folder, problem, name, split) for name in problem.candidates}
    if not any(runs.values()):
        raise UsageError("No run of this study has finished yet.", where=str(folder), hint="`provetune run` goes on.")
    final = _final_document(folder)
    document = {
        "study": resolved["study_id"],
        "name": problem.name,
        "task": task.name,
        "metric": resolved["metric"],
        "split": split,
        "test_open": (folder / DOCUMENT).exists(),
        "rows": {name: each["rows"] for name, each in split_summary(folder).items()},
        "label_names": list(targets.names),
        "candidates": {
            name: _candidate_report(problem, resolved, task, targets, name, runs[name], folder) for name in runs
        },
        "best": final.get("best"),
        "accept": final.get("accept", []),
        "claims": final.get("claims", [{"claim": text, "verdict": None} for text in problem.claims]),
        "notes": resolved["notes"],
        "hashes": {"data": resolved["data_hash"], "code": resolved["code_hash"], "splits": resolved["splits"]},
        "reproduce": _reproduce(folder, resolved, problem),
    }
    return document if ledger is None else {**document, **_from_ledger(ledger, resolved)}


def is_test_open(study_folder: Path) -> bool:
    """Whether the study has ended and its sealed test was opened."""
    return (Path(study_folder) / DOCUMENT).exists()


def _choose_split(folder: Path, split: str | None) -> str:
    is_open = is_test_open(folder)
    if split is None:
        return "test" if is_open else "validation"
    if split not in SPLITS:
        raise UsageError(f"There is no split '{split}' to report on.", hint="Known: validation, test.")
    if split == "test" and not is_open:
        raise UsageError(
            "The test of this study is sealed until all its runs have ended.",
            where=str(folder),
            hint="`provetune run` goes on; until then there is the validation report.",
        )
    return split


def _finished_runs(folder: Path, problem: Problem, candidate: str, split: str) -> list[_Run]:
    from provetune.evaluation.outcomes import read_outcomes

    runs = []
    for k in range(problem.study.seeds):
        place = folder / "trials" / f"{candidate}-{k}"
        outcomes = place / (TEST if split == "test" else VALIDATION)
        result = read_result(place)
        if result is not None and outcomes.exists():
            runs.append(_Run(place, result, read_outcomes(outcomes)))
    return runs


def _candidate_report(
    problem: Problem,
    resolved: Mapping[str, Any],
    task: Task,
    targets: Targets,
    name: str,
    runs: Sequence[_Run],
    folder: Path,
) -> dict[str, Any]:
    from provetune.evaluation.outcomes import judged_rows

    judged = [judged_rows(run.outcomes, targets) for run in runs]
    scores = [task.score(run.outcomes, targets) for run in runs]
    backbone = resolved["backbones"].get(name)
    return {
        "method": problem.candidates[name].method,
        "backbone": None if backbone is None else backbone["name"],
        "settings": problem.candidates[name].model_dump(mode="json"),
        "metrics": spread(scores),
        "labels": _label_table(judged),
        "confusion": _confusion(judged),
        "most_confused": _most_confused(judged),
        "calibration": calibration_report(judged, [float(run.result.get("temperature", 1.0)) for run in runs]),
        "curves": [{"k": run.result["k"], **learning_curve(run.folder / EVENTS)} for run in runs],
        "trials": [_trial(run, each, folder) for run, each in zip(runs, scores, strict=True)],
        "seconds": sum(float(run.result["seconds"]) for run in runs),
    }


def _trial(run: _Run, scores: Mapping[str, float], folder: Path) -> dict[str, Any]:
    bundle = run.folder / BUNDLE
    return {
        "k": run.result["k"],
        "seed": run.result["seed"],
        "scores": {name: value if np.isfinite(value) else None for name, value in scores.items()},
        "seconds": run.result["seconds"],
        "details": run.result.get("details", {}),
        "bundle": str(bundle) if bundle.exists() else None,
        "folder": str(run.folder.relative_to(folder)),
    }


def _label_table(judged: Sequence[JudgedRows]) -> list[dict[str, Any]]:
    """One line a label, scores averaged over the runs; `predicted` is a mean, `support` a count."""
    from provetune.evaluation.metrics import label_reports

    lines: dict[str, list[Any]] = {}
    for rows in judged:
        for report in label_reports(rows):
            lines.setdefault(report.label, []).append(report)
    parts = ("precision", "recall", "f1", "predicted")
    return [
        {
            "label": label,
            **{part: fmean(getattr(one, part) for one in reports) for part in parts},
            "support": reports[0].support,
        }
        for label, reports in lines.items()
    ]


def _confusion(judged: Sequence[JudgedRows]) -> dict[str, Any]:
    """Counts summed over the runs; gold labels down, given labels across (a table a label for several labels)."""
    from provetune.evaluation.metrics import confusion

    if not judged:
        return {"labels": [], "counts": []}
    total = np.sum([confusion(rows) for rows in judged], axis=0)
    return {"labels": list(judged[0].names), "counts": total.tolist()}


def _most_confused(judged: Sequence[JudgedRows], limit: int = 10) -> list[dict[str, Any]]:
    from provetune.evaluation.metrics import most_confused

    counts: dict[tuple[str, str], int] = {}
    for rows in judged:
        for pair in most_confused(rows, limit=len(rows.names) ** 2):
            key = (pair["label"], pair["prediction"])
            counts[key] = counts.get(key, 0) + pair["count"]
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:limit]
    return [{"label": label, "prediction": said, "count": count} for (label, said), count in ordered]


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


def _from_ledger(ledger: Ledger, resolved: Mapping[str, Any]) -> dict[str, Any]:
    looks = ledger.looks(resolved["splits"]["test"])
    record = ledger.find_study(resolved["study_id"])
    return {
        "looks": {
            "charged": sum(look.charged for look in looks),
            "all": [{"at": look.at, "purpose": look.purpose, "charged": look.charged} for look in looks],
        },
        "history": [] if record is None else ledger.history(record.key),
    }
