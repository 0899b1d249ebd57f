"""What a problem file may not ask for beside `data.split.folds`: each fault with its line, before any row is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from provetune.core.errors import DataError
from provetune.core.protocols import JudgesTogether, Task
from provetune.problem.faults import Fault, Keys
from provetune.problem.reading import ProblemFile
from provetune.study.members import combining

if TYPE_CHECKING:
    from provetune.data.splits import Splits

_SPLIT = {
    "test": "Every row is held out once, so no share is set aside for a test.",
    "validation": "The fold after the one held out validates, so no share is set aside for it.",
    "time": "Folds hold out early rows as late ones, so they cannot test on the latest.",
}
_FILES = {
    "test": "With a file of test rows there is nothing for folds to hold out.",
    "validation": "With folds, every row validates once, so no file of validation rows is used.",
}
_LEAVE_OUT = "Leave it out, or leave out data.split.folds."


def check_folds(content: Mapping[str, Any]) -> Iterable[Fault]:
    """Faults of a file that asks for folds; none of any other."""
    data = content.get("data", {})
    split = data.get("split") if isinstance(data, Mapping) else None
    if not isinstance(split, Mapping) or split.get("folds") is None:
        return
    yield from _named(("data",), data, _FILES)
    yield from _named(("data", "split"), split, _SPLIT)
    columns = data.get("columns")
    if isinstance(columns, Mapping):
        yield from _named(("data", "columns"), columns, {"time": _SPLIT["time"]})
    yield from _together(content)
    study = content.get("study", {})
    if isinstance(study, Mapping) and study.get("stop_early"):
        message = "Looks before the last seed are not calibrated for folds."
        yield Fault(("study", "stop_early"), message, _LEAVE_OUT)
    candidates = content.get("candidates", {})
    for name, candidate in candidates.items() if isinstance(candidates, Mapping) else ():
        if isinstance(candidate, Mapping):
            yield from _candidate(("candidates", name), candidate)


def divide_rows(problem_file: ProblemFile, task: Task, runs: int) -> Splits:
    """The rows of a study; of one with folds, those of every run are tried too.

    Raises:
        DataError: rows that cannot be read or divided; where folds are to blame, with their line.
    """
    from provetune.data.folds import PLACE
    from provetune.data.splits import make_splits

    try:
        splits = make_splits(problem_file.problem.data, problem_file.path.parent, task)
        for k in range(1, runs if splits.folds is not None else 1):
            splits.folds.of_run(k).draw(splits.train)  # type: ignore[union-attr]
    except DataError as error:
        if error.where != PLACE:
            raise
        place = problem_file.where(*PLACE.split("."))
        raise DataError(error.message, where=place, hint=error.hint) from error
    return splits


def _named(keys: Keys, section: Mapping[str, Any], reasons: Mapping[str, str]) -> Iterator[Fault]:
    for name, why in reasons.items():
        if section.get(name) is not None:
            yield Fault((*keys, name), why, _LEAVE_OUT)


def _candidate(keys: Keys, candidate: Mapping[str, Any]) -> Iterator[Fault]:
    if combining(candidate.get("method")) is not None:
        message = "With folds, every candidate's bundle is made of its folds' models already."
        yield Fault((*keys, "method"), message, "Name candidates that learn, or leave out data.split.folds.")
    if candidate.get("search"):
        message = "A search would choose settings by rows that folds hold out."
        hint = "Search on a study without folds, and write down what it finds."
        yield Fault((*keys, "search"), message, hint)


def _together(content: Mapping[str, Any]) -> Iterator[Fault]:
    from provetune.tasks import TASKS

    name = content.get("task", "classification")
    if isinstance(name, str) and name in TASKS and isinstance(TASKS.get(name), JudgesTogether):
        message = f"The task '{name}' judges all rows together, so they cannot be held out fold by fold."
        yield Fault(("data", "split", "folds"), message, "Leave out data.split.folds.")
