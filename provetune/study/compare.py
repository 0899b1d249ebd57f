"""Two studies side by side: what differs in their settings, their scores, and the paired difference of both.

Only stored outcomes are compared, so this is no look at the test. The difference is about the trained models
at hand: its interval counts the luck of the rows, not that of training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.errors import UsageError
from provetune.core.protocols import Targets
from provetune.problem.reading import read_problem
from provetune.problem.syntax import Problem
from provetune.statistics.judged import contributions_of
from provetune.statistics.rows import standard_error
from provetune.study.document import spread
from provetune.study.report import SPLITS, is_test_open
from provetune.study.resolved import PROBLEM, read_resolved
from provetune.study.splits_store import split_summary
from provetune.study.trial import TEST, VALIDATION, read_result

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array

INTERVAL = 0.95
NOTE = "Intervals count the luck of the rows alone; a claim between candidates also counts that of training."
_FOLDED = "A study is cross-validated: its models share training rows, so no interval of the rows alone is shown."


@dataclass(frozen=True)
class _Side:
    """One of the two studies."""

    folder: Path
    resolved: Mapping[str, Any]
    problem: Problem
    targets: Targets

    @property
    def hashes(self) -> dict[str, str]:
        return {name: each["hash"] for name, each in split_summary(self.folder).items()}


def compare_studies(first: Path, second: Path) -> dict[str, Any]:
    """Compare the studies in two folders.

    Returns:
        JSON-ready: ``studies`` (id and folder of each), ``same`` (whether training, validation and test rows
        are the same), ``split`` (what the scores are of), ``settings`` (those that differ: ``field``, ``a``, ``b``),
        ``scores`` (``candidate``, ``metric``, ``a``, ``b``), ``differences`` (b − a on the primary metric,
        paired by row, for candidates of one name) and ``notes``.

    Raises:
        UsageError: the studies are of different tasks.
        CorruptError: a folder's files are missing or damaged.
    """
    a, b = _open(first), _open(second)
    if a.resolved["task"] != b.resolved["task"]:
        raise UsageError(
            f"A study of {a.resolved['task']} and one of {b.resolved['task']} have no score in common.",
            hint="Compare studies of one task.",
        )
    split = "test" if is_test_open(a.folder) and is_test_open(b.folder) else "validation"
    same = {name: a.hashes[name] == b.hashes[name] for name in ("train", *SPLITS)}
    outcomes = [_outcomes(side, split) for side in (a, b)]
    notes = [] if same[split] else [f"The {split} rows differ, so the scores are of different questions."]
    if crossed := any(side.problem.data.split.folds is not None for side in (a, b)):
        notes.append(_FOLDED)
    differences = _differences(a, b, outcomes[0], outcomes[1]) if same[split] and not crossed else []
    return {
        "studies": [{"id": side.resolved["study_id"], "folder": str(side.folder)} for side in (a, b)],
        "same": same,
        "split": split,
        "metric": a.resolved["metric"],
        "settings": _settings(a, b),
        "scores": _scores(a, b, outcomes[0], outcomes[1]),
        "differences": differences,
        "notes": [*notes, NOTE] if differences else notes,
    }


def paired_difference(a: Sequence[Array], b: Sequence[Array]) -> dict[str, float]:
    """b − a of two candidates that judged the same rows.

    Args:
        a, b: contributions (N,) of each run, rows in one order; runs are averaged before the rows are paired.

    Returns:
        ``difference``, ``standard_error``, and ``lower`` and ``upper`` of the two-sided 95 % interval.
    """
    gaps = np.mean(b, axis=0) - np.mean(a, axis=0)
    error, _ = standard_error(gaps)
    value, reach = float(gaps.mean()), NormalDist().inv_cdf(0.5 + INTERVAL / 2) * error
    return {"difference": value, "standard_error": error, "lower": value - reach, "upper": value + reach}


def _open(folder: Path) -> _Side:
    folder = Path(folder)
    resolved = read_resolved(folder)
    problem = read_problem(folder / PROBLEM).problem
    return _Side(folder, resolved, problem, Targets.from_json(resolved["targets"]))


def _outcomes(side: _Side, split: str) -> dict[str, list[pa.Table]]:
    """Stored outcomes of each candidate's finished runs, rows in the order of their ids."""
    from provetune.evaluation.outcomes import read_outcomes

    name = TEST if split == "test" else VALIDATION
    found: dict[str, list[pa.Table]] = {}
    for candidate in side.problem.candidates:
        places = [side.folder / "trials" / f"{candidate}-{k}" for k in range(side.problem.study.seeds)]
        files = [place / name for place in places if read_result(place) is not None and (place / name).exists()]
        found[candidate] = [read_outcomes(file).sort_by("row_id") for file in files]
    return found


def _settings(a: _Side, b: _Side) -> list[dict[str, Any]]:
    flat = [
        _flatten(
            {
                **side.problem.model_dump(mode="json"),
                "code_hash": side.resolved["code_hash"],
                "packages": side.resolved["packages"],
                "machine": side.resolved["machine"],
                "rows": side.hashes,
                "weights": {name: each["content_hash"] for name, each in side.resolved["backbones"].items() if each},
            }
        )
        for side in (a, b)
    ]
    names = list(dict.fromkeys([*flat[0], *flat[1]]))
    pairs = [(name, flat[0].get(name), flat[1].get(name)) for name in names]
    return [{"field": name, "a": left, "b": right} for name, left, right in pairs if left != right]


def _flatten(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, item in value.items():
        if isinstance(item, Mapping):
            flat.update(_flatten(item, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = item
    return flat


def _scores(
    a: _Side, b: _Side, left: Mapping[str, Sequence[pa.Table]], right: Mapping[str, Sequence[pa.Table]]
) -> list[dict[str, Any]]:
    from provetune.tasks import TASKS

    task = TASKS.get(a.resolved["task"])
    sides = []
    for side, outcomes in ((a, left), (b, right)):
        scored = {name: [task.score(one, side.targets) for one in tables] for name, tables in outcomes.items()}
        sides.append({name: spread(scores) for name, scores in scored.items()})
    lines = []
    for candidate in dict.fromkeys([*sides[0], *sides[1]]):
        metrics = dict.fromkeys([*sides[0].get(candidate, {}), *sides[1].get(candidate, {})])
        for metric in metrics:
            values = [side.get(candidate, {}).get(metric) for side in sides]
            lines.append({"candidate": candidate, "metric": metric, "a": values[0], "b": values[1]})
    return lines


def _differences(
    a: _Side, b: _Side, left: Mapping[str, Sequence[pa.Table]], right: Mapping[str, Sequence[pa.Table]]
) -> list[dict[str, Any]]:
    """Paired differences for candidates of one name."""
    metric = a.resolved["metric"]
    found = []
    for candidate in left:
        if left[candidate] and right.get(candidate):
            sides = [
                [_contributions(side.resolved["task"], metric, table, side.targets) for table in tables]
                for side, tables in ((a, left[candidate]), (b, right[candidate]))
            ]
            figures = paired_difference(sides[0], sides[1])
            found.append({"candidate": candidate, "metric": metric, "rows": len(sides[0][0]), **figures})
    return found


def _contributions(task: str, metric: str, outcomes: pa.Table, targets: Targets) -> Array:
    from provetune.tasks import TASKS

    return contributions_of(metric, TASKS.get(task).judged(outcomes, targets))
