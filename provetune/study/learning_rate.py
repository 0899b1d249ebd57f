"""A learning-rate range test of a candidate, from its problem file: training rows alone, and nothing is kept.

The trial's own code runs, with its own settings, batches and objectives. The rows of validation and test are read when
the data are divided, as for every command, and go no further.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.core.errors import UsageError
from provetune.core.files import disk_errors
from provetune.core.processor import usable_cores
from provetune.core.suggest import advice
from provetune.study.workspace import Workspace, open_workspace

if TYPE_CHECKING:
    from provetune.models.download import Listener as Download
    from provetune.problem.reading import ProblemFile
    from provetune.study.resolved import ResolvedStudy
    from provetune.study.trial_spec import TrialSpec
    from provetune.study.worker import Work
    from provetune.training.range_test import RateCurve, RatePoint

_JOB = "provetune.study.learning_rate:try_rates_job"
_POINT = "rate"
_PLACEHOLDERS = 2


def find_learning_rate(
    problem: str | Path,
    candidate: str | None = None,
    *,
    steps: int | None = None,
    highest: float | None = None,
    overrides: Sequence[str] = (),
    workspace: str | Path | None = None,
    device: str = "auto",
    on_note: Callable[[str], None] = lambda message: None,
    on_point: Callable[[RatePoint, int], None] = lambda point, steps: None,
    progress: Download | None = None,
) -> dict[str, Any]:
    """Which learning rate a candidate should train with.

    Args:
        problem: the problem file.
        candidate: its name; the first that trains step by step when left out.
        steps: about so many; 100 when left out.
        highest: the rate that the test ends at; 10 when left out.
        overrides, workspace, device: as in `provetune.study.run.run`.
        on_note: told what takes seconds, before it is begun.
        on_point: told each step's rate and loss, and how many steps there may be.
        progress: told about a backbone's download.

    Returns:
        JSON-ready: ``problem``, ``candidate``, ``learning_rate`` (as it stands), ``suggestion`` (None where the loss
        never fell), ``lowest`` (a rate), ``diverged``, ``points`` (``step``, ``rate``, ``loss``,
        ``smoothed``), ``rows`` (training rows), ``seconds`` and ``words``.

    Raises:
        UsageError: there is no such candidate, it has no steps, or `steps` or `highest` cannot be.
        ProblemFileError, DataError: as in `provetune.study.run.run`.
    """
    from provetune.problem.reading import read_problem
    from provetune.study.problem_checks import baseline_of, problem_checks
    from provetune.study.resolve import resolve
    from provetune.training.range_test import HIGHEST_RATE, USUAL_STEPS, check_range, read_curve

    wanted = USUAL_STEPS if steps is None else steps
    end = HIGHEST_RATE if highest is None else highest
    check_range(wanted, end)
    path = Path(problem)
    file = read_problem(path, overrides=overrides, checks=problem_checks(), baseline_of=baseline_of)
    name = _named(file, candidate)
    alone = file.problem.model_copy(update={"candidates": {name: file.problem.candidates[name]}, "claims": []})
    resolved = resolve(replace(file, problem=alone), device=device, progress=progress)
    on_note(f"Trying learning rates of '{name}' on {resolved.splits.train.num_rows:,} training rows")
    began = time.monotonic()
    with _small_study(resolved, open_workspace(path, workspace), name) as (spec, logs):
        points = _tried(spec, logs, {"steps": wanted, "highest": end}, lambda point: on_point(point, wanted))
    document = _document(name, float(resolved.problem.candidates[name].learning_rate), read_curve(points))
    rows, seconds = resolved.splits.train.num_rows, time.monotonic() - began
    return {"problem": file.problem.name, **document, "rows": rows, "seconds": seconds}


def _named(file: ProblemFile, wanted: str | None) -> str:
    from provetune.models.methods import METHODS

    known = file.problem.candidates
    stepping = [name for name, each in known.items() if METHODS.get(each.method).learns_from == "weights"]
    if wanted is None:
        if not stepping:
            raise UsageError(
                "No candidate of this problem trains step by step.",
                where=file.where("candidates"),
                hint="Add one with method full or lora.",
            )
        return stepping[0]
    if wanted not in known:
        raise UsageError(
            f"There is no candidate '{wanted}'.", where=file.where("candidates"), hint=advice(wanted, list(known))
        )
    if wanted not in stepping:
        raise UsageError(
            f"The method '{known[wanted].method}' of '{wanted}' has no learning rate.",
            where=file.where("candidates", wanted, "method"),
            hint=f"Those that have one: {', '.join(stepping)}." if stepping else "Add one with method full or lora.",
        )
    return wanted


def try_rates_job(spec: Mapping[str, Any]) -> Work:
    """A worker's job: the points of a range test, one event each.

    Args:
        spec: ``trial`` (a `TrialSpec`), ``threads``, ``steps`` and ``highest``.
    """
    from provetune.study.trained import try_rates_of
    from provetune.study.trial import fix_arithmetic
    from provetune.study.trial_spec import TrialSpec

    trial = TrialSpec.from_json({**spec["trial"], "threads": spec["threads"]})
    fix_arithmetic(trial)
    for point in try_rates_of(trial, steps=spec["steps"], highest=spec["highest"]):
        yield {"event": _POINT, **asdict(point)}
    return {}


def _tried(
    spec: TrialSpec, logs: Path, asked: Mapping[str, Any], on_point: Callable[[RatePoint], None]
) -> list[RatePoint]:
    """The points, from a worker: its libraries are loaded so that a busy machine does not stop them."""
    from provetune.study.engines import ENGINES, Job
    from provetune.training.range_test import RatePoint

    points: list[RatePoint] = []

    def hear(event: Mapping[str, Any]) -> None:
        if event["event"] == _POINT:
            points.append(RatePoint(event["step"], event["rate"], event["loss"]))
            on_point(points[-1])

    job = Job(spec.id, _JOB, {"trial": spec.to_json(), **asked}, retries=0)
    with ENGINES.get("local").open(1, spec.threads, logs) as pool:
        outcome = pool.run([job], hear)[spec.id]
    if (error := outcome.error) is not None:
        raise UsageError(f"The rates of '{spec.candidate}' could not be tried: {error['message']}", hint=error["hint"])
    return points


@contextmanager
def _small_study(resolved: ResolvedStudy, workspace: Workspace, name: str) -> Iterator[tuple[TrialSpec, Path]]:
    """The candidate's first trial on the training rows, and a folder for logs; both go afterwards."""
    from provetune.study.other_rows import save_other_rows
    from provetune.study.splits_store import save_splits
    from provetune.study.trial_plan import make_specs

    splits = resolved.splits
    # A trial reads validation rows too, though a range test never asks about them: training rows stand for them.
    alone = replace(splits, validation=splits.train.slice(0, _PLACEHOLDERS), test=splits.test.slice(0, 0))
    with disk_errors(workspace.cache):
        workspace.cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="lr-", dir=workspace.cache, ignore_cleanup_errors=True) as temporary:
        place = Workspace(Path(temporary), "lr", "")
        save_splits(place.study_folder(resolved.study_id), alone)
        save_other_rows(place.study_folder(resolved.study_id), resolved.other_rows)
        spec = next(spec for spec in make_specs(resolved, place, usable_cores()) if spec.candidate == name)
        yield replace(spec, study={}, folds=None), Path(temporary) / "logs"


def _document(name: str, rate: float, curve: RateCurve) -> dict[str, Any]:
    """What a curve says of a candidate whose learning rate stands at `rate`."""
    return {
        "candidate": name,
        "learning_rate": rate,
        "suggestion": curve.suggestion,
        "lowest": curve.lowest,
        "diverged": curve.diverged,
        "points": _documented(curve),
        "words": _say(name, rate, curve),
    }


def _documented(curve: RateCurve) -> list[dict[str, Any]]:
    """The points with their smoothed losses; those after the last loss that is a number have none."""
    smoothed = [*curve.smoothed, *(None for _ in range(len(curve.points) - len(curve.smoothed)))]
    return [{**asdict(point), "smoothed": value} for point, value in zip(curve.points, smoothed, strict=True)]


def _say(name: str, rate: float, curve: RateCurve) -> str:
    if curve.suggestion is None:
        return (
            f"The loss of '{name}' never fell by more than its noise: there is nothing to suggest. Try more steps, "
            "larger batches, or look at the data."
        )
    end = "" if curve.diverged else " The loss had not diverged at the highest rate."
    return (
        f"learning_rate: {curve.suggestion:g} for '{name}' (half-way down to the lowest loss, at {curve.lowest:.2g}). "
        f"It stands at {rate:g}.{end}"
    )
