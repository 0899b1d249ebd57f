"""A few rows of each label: what a candidate learns from where data is little, drawn anew for each seed.

A label that has fewer rows than asked for gives all that it has. Where a row may have several labels the draw goes
label by label, the one with the fewest rows first, as iterative stratification does (Sechidis, Tsoumakas and Vlahavas
2011): a row that was taken for one label counts for its others too, so that a frequent label may get more rows than
asked for, never fewer. Rows without any label are drawn as if "none" were one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from provetune.core.errors import DataError
from provetune.data.examples import STRATUM
from provetune.data.row_ids import draw_numbers, label_keys

Numbers = np.ndarray[Any, np.dtype[Any]]


def draw_subset(examples: pa.Table, per_label: int, seed: int) -> Numbers:
    """Numbers of the rows drawn, ascending (R,).

    Every row has a number from the hash of seed and row id, and each label's lowest are drawn: the draw depends on the
    rows' content alone. Where a row has one label, a smaller subset is a part of a larger one of that seed.

    Raises:
        DataError: labels are no classes.
    """
    having, names = _rows_having(examples)
    numbers = draw_numbers(examples["row_id"], seed, "subset")
    wanted = np.minimum(np.asarray([len(rows) for rows in having], dtype=np.int64), per_label)
    chosen = np.zeros(examples.num_rows, dtype=bool)
    labels_of: list[list[int]] = [[] for _ in range(examples.num_rows)]
    for label, rows in enumerate(having):
        for row in rows.tolist():
            labels_of[row].append(label)
    for label in sorted(range(len(names)), key=lambda each: (len(having[each]), names[each])):
        rows = having[label][np.argsort(numbers[having[label]], kind="stable")]
        for row in rows.tolist():
            if wanted[label] <= 0:
                break
            if not chosen[row]:
                chosen[row] = True
                wanted[labels_of[row]] -= 1
    return np.flatnonzero(chosen)


def count_subset(examples: pa.Table, per_label: int) -> int:
    """How many rows `draw_subset` takes; with several labels a row, how many one draw takes."""
    if _listed(examples):
        return len(draw_subset(examples, per_label, 0))
    having, _ = _rows_having(examples)
    return sum(subset_counts([len(rows) for rows in having], per_label))


def labels_short_of(examples: pa.Table, per_label: int) -> dict[str, int]:
    """Rows of each label that has fewer than asked for, in the order of names."""
    having, names = _rows_having(examples)
    return {name: len(rows) for name, rows in zip(names, having, strict=True) if len(rows) < per_label}


def subset_counts(counts: Sequence[int], per_label: int) -> list[int]:
    """Rows of each label that are drawn, of those that it has."""
    return [min(count, per_label) for count in counts]


def _rows_having(examples: pa.Table) -> tuple[list[Numbers], list[str]]:
    """Numbers of the rows of each label, and the labels' names in order; ``""`` is none of them."""
    labels = examples["label"]
    classes = pa.types.is_string(labels.type) or _listed(examples)
    if STRATUM in examples.column_names or not classes:
        raise DataError(
            "A subset takes so many rows of each label, and the labels here are no classes.",
            where="data.subset",
            hint="Take data: {share: 0.1} in a candidate instead.",
        )
    if _listed(examples):
        flat, parents = pc.list_flatten(labels), pc.list_parent_indices(labels).to_numpy()
        empty = np.setdiff1d(np.arange(examples.num_rows), parents)
    else:
        flat, parents = label_keys(labels), np.arange(examples.num_rows)
        empty = np.zeros(0, dtype=np.int64)
    names = sorted(name for name in pc.unique(flat).to_pylist() if name is not None)
    codes = pc.fill_null(pc.index_in(flat, pa.array(names, pa.string())), -1).to_numpy()
    having = [np.unique(parents[codes == code]) for code in range(len(names))]
    return ([empty, *having], ["", *names]) if len(empty) else (having, names)


def _listed(examples: pa.Table) -> bool:
    kind = examples["label"].type
    return bool(pa.types.is_list(kind) and pa.types.is_string(kind.value_type))
