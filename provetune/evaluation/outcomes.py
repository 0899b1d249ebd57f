"""What is kept of every judged row, as Parquet, and its form as numbers.

Every task keeps ``row_id``, ``label`` and ``prediction``. Where labels are classes these are strings, or lists of
strings for several labels a row, and there are ``probabilities`` (list of float32, in the order of the targets' names)
and, for a model that may abstain, ``abstained`` (bool). All evidence is made from these.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from provetune.core.errors import CorruptError, DataError
from provetune.core.files import atomic_path
from provetune.core.protocols import Targets
from provetune.statistics.rows import JudgedRows

if TYPE_CHECKING:
    from provetune.core.protocols import Array

NEEDED = ("row_id", "label", "prediction")
COLUMNS = ("row_id", "label", "prediction", "probabilities")
ABSTAINED = "abstained"
"""Column of a model that may abstain: whether it does."""
ORDERED = "ordinal"
"""`Targets.kind` of labels whose names stand in an order."""


def build_outcomes(row_ids: Any, labels: Any, predictions: Any, probabilities: Array) -> pa.Table:
    """The table of outcomes.

    Args:
        row_ids, labels, predictions: Arrow arrays or sequences, N each.
        probabilities: (N, C), kept as float32.
    """
    values = np.ascontiguousarray(probabilities, dtype=np.float32)
    if values.ndim != 2 or len(values) != len(row_ids):
        raise ValueError(f"probabilities must be ({len(row_ids)}, labels). Got {values.shape} instead.")
    flat = pa.array(values.ravel())
    offsets = pa.array(np.arange(len(values) + 1, dtype=np.int32) * values.shape[1])
    column = pa.ListArray.from_arrays(offsets, flat)
    return pa.table(dict(zip(COLUMNS, (row_ids, labels, predictions, column), strict=True)))


def write_outcomes(path: Path, outcomes: pa.Table) -> None:
    """Write the table to `path`, atomically; a task may keep columns of its own in it."""
    with atomic_path(path) as temporary:
        pq.write_table(outcomes, temporary, compression="zstd")


def read_outcomes(path: Path) -> pa.Table:
    """The table that `write_outcomes` wrote.

    Raises:
        CorruptError: it is no such file.
    """
    try:
        found = pq.read_table(path)
        found.select(list(NEEDED))
        return found
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise CorruptError(
            "This is no outcomes file, or it is damaged.", where=str(path), hint="Run the trial again."
        ) from error


def judged_rows(outcomes: pa.Table, targets: Targets, groups: Sequence[Any] | None = None) -> JudgedRows:
    """Outcomes as numbers, rows without a label left out.

    A label that the targets do not name gets a number after theirs and its name in `JudgedRows.names`; such
    a row counts as wrong everywhere.

    Args:
        groups: a value a row; rows of one value are not independent of each other.
    """
    labelled = outcomes.column("label").is_valid()
    if not pc.all(labelled).as_py():
        kept = labelled.to_numpy()
        groups = None if groups is None else [group for group, keep in zip(groups, kept, strict=True) if keep]
        outcomes = outcomes.filter(labelled)
    label, prediction = (outcomes.column(name).combine_chunks() for name in ("label", "prediction"))
    numbers = None if groups is None else np.unique(np.asarray(groups, dtype=str), return_inverse=True)[1]
    names = targets.names
    if pa.types.is_list(label.type):
        names = (*names, *_unseen(label.flatten(), names))
        gold, said = indicators(label, names), indicators(prediction, names)
    else:
        names = (*names, *_unseen(label, names))
        gold, said = label_numbers(label, names), label_numbers(prediction, names)
    outside = targets.names.index(targets.out_of_scope) if targets.out_of_scope in targets.names else None
    probabilities = probability_matrix(outcomes, len(targets.names))
    if gold.ndim == 2 and len(names) > len(targets.names):
        unknown = np.zeros((len(probabilities), len(names) - len(targets.names)), dtype=probabilities.dtype)
        probabilities = np.hstack([probabilities, unknown])
    answered = None
    if ABSTAINED in outcomes.column_names:
        answered = ~np.asarray(outcomes.column(ABSTAINED).to_numpy(zero_copy_only=False), dtype=bool)
    return JudgedRows(gold, said, probabilities, names, outside, numbers, answered, targets.kind == ORDERED)


def probability_matrix(outcomes: pa.Table, classes: int) -> Array:
    """The probabilities of outcomes, float32 (N, C)."""
    column = outcomes.column("probabilities").combine_chunks()
    flat = column.flatten().to_numpy(zero_copy_only=False)
    if len(flat) != len(column) * classes:
        raise DataError(f"The outcomes do not have {classes} probabilities a row.", hint="Run the trial again.")
    return np.asarray(flat.reshape(len(column), classes))


def label_numbers(labels: pa.Array, names: Sequence[str]) -> Array:
    """Numbers of labels among `names`, int64 (N,); -1 for a label that is not there, or null."""
    found = pc.index_in(labels, value_set=pa.array(names, type=labels.type))
    return np.asarray(pc.fill_null(found, -1).to_numpy(zero_copy_only=False), dtype=np.int64)


def indicators(labels: pa.Array, names: Sequence[str]) -> Array:
    """Lists of labels as indicators among `names`, bool (N, C); names that are not there are left out."""
    found = np.zeros((len(labels), len(names)), dtype=bool)
    rows = np.asarray(pc.list_parent_indices(labels).to_numpy(zero_copy_only=False), dtype=np.int64)
    columns = label_numbers(labels.flatten(), names)
    known = columns >= 0
    found[rows[known], columns[known]] = True
    return found


def _unseen(labels: pa.Array, names: Sequence[str]) -> list[str]:
    return sorted(set(pc.unique(labels).to_pylist()) - set(names) - {None})
