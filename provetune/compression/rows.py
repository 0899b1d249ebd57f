"""The rows that a derivative is made with and judged on: those of the study that the bundle comes from.

Validation rows are halved by the hash of their ids, the same way every time. The `tuning` half is for steps (when to
stop, which temperature); the `calibration` half judges what they made and is for nothing else. Rows of one group, or of
one text, stay together. Test rows are never opened: what a derivative loses is found without them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.errors import Refused, UsageError
from provetune.core.seeds import derive

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array, Task
    from provetune.models.bundle import Bundle

HALVES = "calibration half"
_SUMMARY = Path("splits") / "splits.json"


@dataclass(frozen=True)
class CompressRows:
    """Rows as the bundle sees them.

    Attributes:
        train: those it learned from, labels among them.
        tuning, calibration: the halves of validation.
        groups: group of each calibration row, or None where rows are independent.
    """

    train: pa.Table
    tuning: pa.Table
    calibration: pa.Table
    groups: list[Any] | None = None


def find_rows(
    bundle: Bundle, task: Task, *, problem: str | Path | None = None, workspace: str | Path | None = None
) -> CompressRows:
    """The rows of the study that made a bundle.

    Args:
        problem: makes the splits again, for a bundle that was moved away from its study.
        workspace: where the study lies, if the bundle does not lie in it.

    Raises:
        UsageError: the study is not there and no problem file was given.
        Refused: the rows are not those that the bundle's record has the hashes of, or none was held out from it.
    """
    _refuse_cross_validated(bundle)
    found = _stored(bundle, workspace) if problem is None else _made_again(bundle, Path(problem), task)
    train, validation = (_as_seen(bundle, table) for table in found)
    group = group_column(bundle.record, validation.column_names)
    tuning, calibration = halve(validation, group)
    if calibration.num_rows == 0 or tuning.num_rows == 0:
        raise UsageError(
            f"{validation.num_rows} validation rows cannot be halved: nothing would be left to judge with.",
            hint="Give the problem more rows, or a larger data.split.validation.",
        )
    groups = None
    if group is not None:
        from provetune.data.drawing import group_keys

        groups = group_keys(calibration, group).to_pylist()
    return CompressRows(_learned(bundle, train), tuning, calibration, groups)


def halve(validation: pa.Table, group: str | None = None) -> tuple[pa.Table, pa.Table]:
    """Validation rows → those for tuning and those for judging, as equal in number as whole units allow.

    Args:
        group: column of the file whose equal values stay together; equal texts do in any case without one.
    """
    from provetune.data.drawing import group_keys
    from provetune.data.folding import drawn_texts, fold
    from provetune.data.row_ids import draw_numbers

    keys = group_keys(validation, group) if group else fold(drawn_texts(validation))
    units = _numbered(keys.to_pylist())
    names = [f"{key}" for key in keys.to_pylist()] if group else validation.column("row_id").to_pylist()
    numbers = draw_numbers(names, 0, "compress")
    mask = first_half(units, numbers)
    return validation.filter(mask), validation.filter(~mask)


def first_half(units: Array, numbers: Array) -> Array:
    """Which rows are in the first half, bool (N,).

    Args:
        units: number of each row's unit (N,); a unit is never parted.
        numbers: a hash of each row (N,); units are taken in the order of their smallest.
    """
    count = int(units.max()) + 1 if len(units) else 0
    smallest = np.full(count, np.iinfo(np.uint64).max, dtype=np.uint64)
    np.minimum.at(smallest, units, numbers)
    sizes = np.bincount(units, minlength=count)
    order = np.argsort(smallest, kind="stable")
    # A unit goes where its middle row falls.
    middle = np.cumsum(sizes[order]) - sizes[order] / 2
    chosen = np.zeros(count, dtype=bool)
    chosen[order] = middle < len(units) / 2
    found: Array = chosen[units]
    return found


def group_column(record: Mapping[str, Any], columns: Sequence[str]) -> str | None:
    """The file's column whose rows are not independent of each other, where the rows have it."""
    data = (record.get("problem") or {}).get("data") or {}
    group = (data.get("columns") or {}).get("group") or (data.get("split") or {}).get("group")
    return group if group is not None and f"raw.{group}" in columns else None


def _refuse_cross_validated(bundle: Bundle) -> None:
    """Models of folds learned from all rows together: what judged a derivative would be what its parent learned."""
    recorded = bundle.record.get("data") or {}
    train, validation = ((recorded.get(name) or {}).get("hash") for name in ("train", "validation"))
    if train is not None and train == validation:
        raise Refused(
            "This bundle was cross-validated: its models learned from every row, and none is left to judge by.",
            where=str(bundle.path),
            hint="Run the problem with data.split.validation instead of folds, and compress what comes of that.",
        )


def _stored(bundle: Bundle, workspace: str | Path | None) -> tuple[pa.Table, pa.Table]:
    from provetune.study.splits_store import load_split, split_summary

    folder = _study_folder(bundle, workspace)
    if folder is None:
        raise UsageError(
            "The rows of this bundle's study are not beside it.",
            where=str(bundle.path),
            hint="Name the problem file with --problem, or the study's --workspace.",
        )
    summary = split_summary(folder)
    _check_hashes(bundle, {name: each["hash"] for name, each in summary.items()}, str(folder))
    return load_split(folder, "train"), load_split(folder, "validation")


def _study_folder(bundle: Bundle, workspace: str | Path | None) -> Path | None:
    study = str(bundle.record.get("study") or "")
    if workspace is not None and study:
        found = Path(workspace).expanduser().absolute() / "studies" / study
        return found if (found / _SUMMARY).is_file() else None
    above = Path(bundle.path).absolute().parents
    return next((folder for folder in above if folder.name == study and (folder / _SUMMARY).is_file()), None)


def _made_again(bundle: Bundle, path: Path, task: Task) -> tuple[pa.Table, pa.Table]:
    """The splits drawn anew; the test rows that come of it are let go unread, as `provetune check` does."""
    from provetune.data.splits import make_splits
    from provetune.problem.reading import read_problem
    from provetune.study.problem_checks import baseline_of, problem_checks

    file = read_problem(path, checks=problem_checks(), baseline_of=baseline_of)
    if file.problem.task != bundle.task:
        raise Refused(
            f"The problem is of the task '{file.problem.task}', the bundle of '{bundle.task}'.", where=str(path)
        )
    splits = make_splits(file.problem.data, path.parent, task)
    _check_hashes(bundle, splits.hashes, str(path))
    return splits.train, splits.validation


def _check_hashes(bundle: Bundle, hashes: Mapping[str, str], where: str) -> None:
    recorded = bundle.record.get("data") or {}
    for name in ("train", "validation"):
        if (recorded.get(name) or {}).get("hash") != hashes.get(name):
            raise Refused(
                f"The {name} rows are not those that this bundle was made with.",
                where=where,
                hint="Use the problem file and the data of then; rows that judge must not be rows that it learned.",
            )


def _as_seen(bundle: Bundle, examples: pa.Table) -> pa.Table:
    from provetune.data.variants import show_texts

    return show_texts(examples, _own_data(bundle))


def _learned(bundle: Bundle, train: pa.Table) -> pa.Table:
    from provetune.data.variants import correct_labels, learned_rows

    data = _own_data(bundle)
    corrected = correct_labels(train, data)
    kept = learned_rows(corrected, data, derive(int(bundle.record.get("seed") or 0), "rows"))
    return corrected if kept is None else corrected.take(kept)


def _own_data(bundle: Bundle) -> Any:
    from provetune.problem.syntax import CandidateData

    written = (bundle.record.get("candidate") or {}).get("data")
    return None if written is None else CandidateData.model_validate(written)


def _numbered(keys: Sequence[Any]) -> Array:
    places: dict[Any, int] = {}
    return np.asarray([places.setdefault(key, len(places)) for key in keys], dtype=np.int64)


def evenly_spread(examples: pa.Table, most: int) -> pa.Table:
    """At most so many rows, evenly spread over all of them."""
    count = examples.num_rows
    if count <= most:
        return examples
    return examples.take([number * count // most for number in range(most)])
