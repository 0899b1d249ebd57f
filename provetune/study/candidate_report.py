"""One candidate's part of a report: scores, labels, confusions, calibration, curves, trials and what failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.protocols import Reports, Targets, Task
from provetune.problem.syntax import Candidate
from provetune.study.curves import learning_curve
from provetune.study.document import spread
from provetune.study.reliability import calibration_report
from provetune.study.report_runs import FinishedRun
from provetune.study.trial import BUNDLE, EVENTS

if TYPE_CHECKING:
    from provetune.statistics.rows import JudgedRows


def candidate_report(
    candidate: Candidate,
    backbone: Mapping[str, Any] | None,
    task: Task,
    targets: Targets,
    runs: Sequence[FinishedRun],
    study_folder: Path,
) -> dict[str, Any]:
    """What a candidate's runs have to show on the rows of one split; JSON-ready.

    Args:
        backbone: its record in ``resolved.json``, or None where it needs none.
    """
    judged = _judged_labels(task, targets, runs)
    scores = [task.score(run.outcomes, targets) for run in runs]
    return {
        "method": candidate.method,
        "backbone": None if backbone is None else backbone["name"],
        "settings": candidate.model_dump(mode="json"),
        "metrics": spread(scores),
        "labels": _label_table(judged),
        "confusion": _confusion(judged),
        "most_confused": _most_confused(judged),
        "calibration": calibration_report(judged, _temperatures(runs)) if judged else None,
        "tables": _own_tables(task, targets, runs, scores),
        "curves": [{"k": run.k, **learning_curve(run.folder / EVENTS)} for run in runs],
        "trials": [_trial(run, each, study_folder) for run, each in zip(runs, scores, strict=True)],
        "seconds": sum(float(run.result["seconds"]) for run in runs),
    }


def _judged_labels(task: Task, targets: Targets, runs: Sequence[FinishedRun]) -> list[JudgedRows]:
    """The runs' rows where labels are classes; nothing elsewhere, where these tables have no meaning."""
    from provetune.statistics.rows import JudgedRows

    found = [task.judged(run.outcomes, targets) for run in runs] if task.classes else []
    return [rows for rows in found if isinstance(rows, JudgedRows)]


def _temperatures(runs: Sequence[FinishedRun]) -> list[float]:
    return [float(run.result.get("temperature", 1.0)) for run in runs]


def _own_tables(
    task: Task, targets: Targets, runs: Sequence[FinishedRun], scores: Sequence[Mapping[str, float]]
) -> list[dict[str, Any]]:
    """What only this task shows, of the run whose primary score is the median one; ``k`` is that run's number."""
    if not isinstance(task, Reports) or not runs:
        return []
    metric = task.metrics[0].name
    ordered = sorted(range(len(runs)), key=lambda number: _finite(scores[number].get(metric)) or 0.0)
    median = runs[ordered[(len(ordered) - 1) // 2]]
    return [
        {**asdict(table), "rows": [[_cell(cell) for cell in row] for row in table.rows], "k": median.k}
        for table in task.tables(median.outcomes, targets)
    ]


def _cell(value: Any) -> Any:
    """A cell as JSON has it."""
    value = value.item() if isinstance(value, np.generic) else value
    return _finite(value) if isinstance(value, float) else value


def _finite(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


def _trial(run: FinishedRun, scores: Mapping[str, float], study_folder: Path) -> dict[str, Any]:
    bundle = run.folder / BUNDLE
    return {
        "k": run.k,
        "seed": run.result["seed"],
        "scores": {name: _finite(value) for name, value in scores.items()},
        "seconds": run.result["seconds"],
        "details": run.result.get("details", {}),
        "bundle": str(bundle) if bundle.exists() else None,
        "folder": str(run.folder.relative_to(study_folder)),
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
